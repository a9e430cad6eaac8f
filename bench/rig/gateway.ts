import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AUDIENCE } from '../../packages/cli/src/dev/idp-resource.ts'
import { SIGNING_ALGORITHM } from '../../packages/cli/src/dev/idp-key.ts'
import type { DevIdp } from '../../packages/cli/src/dev/idp.ts'
import { freePort } from '../../packages/gateway/src/store/free-port.ts'
import { descendants } from '../measure/process-cost.ts'
import type { Endpoint } from './endpoint.ts'
import type { BenchTarget } from './target.ts'
import { untilListening } from './until-listening.ts'

const SALLYPORT = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const POLICIES = fileURLToPath(new URL('../resources/policies.cedar', import.meta.url))
/** Whose statements are measured. */
const AGENT = 'insight-agent'
const START_MS = 60_000
/** A thousand sessions' roles are taken away when it stops. */
const STOP_MS = 120_000

/** The same database behind the gateway, by how many leases are kept ready for it, and with two columns of `wide` masked. */
export const TARGETS = {
  onDemand: 'bench',
  prewarmed: 'bench-warm',
  prewarmed50: 'bench-warm-50',
  masked: 'bench-masked',
} as const
const PREWARM = {
  [TARGETS.onDemand]: 0,
  [TARGETS.prewarmed]: 2,
  [TARGETS.prewarmed50]: 50,
  [TARGETS.masked]: 0,
}

/** A text by its last characters, and one by a constant that is shorter than it: in place, and put together anew. */
const CLASSIFICATION = [
  {
    kind: 'Classification',
    target: TARGETS.masked,
    fields: [
      { field: 'public.wide.c0', class: 'bench.partial' },
      { field: 'public.wide.c1', class: 'bench.constant' },
    ],
  },
  { kind: 'DataClass', name: 'bench.partial', mask: { method: 'partial', keep: 'last4' } },
  { kind: 'DataClass', name: 'bench.constant', mask: 'redact' },
]

export interface GatewayProcess extends AsyncDisposable {
  readonly pid: number
  /** Of its control API. */
  readonly url: string
  /** From the start of the process until its PostgreSQL port took a connection. */
  readonly listeningAfterMs: number
  /** Of the store's embedded PostgreSQL. */
  storePids(): number[]
  /** A new ticket for one of `TARGETS`. */
  endpoint(name: string, target: string): Promise<Endpoint>
}

/**
 * `sallyport serve` in a process of its own, with everything on: tickets, policies, parsing, recording, audit.
 * @param options.store a PostgreSQL for the store; undefined: the embedded one
 * @param options.profile a directory for CPU profiles
 * @param options.policies a file of further ones
 */
export async function startGateway(options: {
  readonly home: string
  readonly target: BenchTarget
  readonly idp: DevIdp
  readonly store?: string | undefined
  readonly profile?: string | undefined
  readonly policies?: string
  readonly interrupted: AbortSignal
}): Promise<GatewayProcess> {
  const { home, target, idp, profile } = options
  const http = await freePort()
  const postgres = await freePort()
  const config = await configure(home, target, idp.issuer, {
    http,
    postgres,
    store: options.store !== undefined,
    policies: options.policies,
  })
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const started = performance.now()
  const child = spawn(process.execPath, [...flags, SALLYPORT, 'serve', '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      BENCH_ISSUER_PASSWORD: target.issuer.password,
      ...(options.store === undefined ? {} : { BENCH_STORE: options.store }),
    },
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-8000)))
  const exited = once(child, 'exit')
  const listening = await Promise.race([
    untilListening('127.0.0.1', postgres, START_MS),
    exited.then(() => false),
  ])
  const listeningAfterMs = performance.now() - started
  const interrupt = (): void => void child.kill('SIGTERM')
  options.interrupted.addEventListener('abort', interrupt)
  const stop = async (): Promise<void> => {
    interrupt()
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await exited
    clearTimeout(killer)
    options.interrupted.removeEventListener('abort', interrupt)
  }
  const { pid } = child
  if (pid === undefined || !listening || !(await untilListening('127.0.0.1', http, START_MS))) {
    await stop()
    throw new Error(`the gateway did not start: ${said}`)
  }
  return {
    pid,
    url: `http://127.0.0.1:${http}`,
    listeningAfterMs,
    storePids: () => descendants(pid),
    async endpoint(name, to) {
      const password = await ticketFor(`http://127.0.0.1:${http}`, await idp.token(AGENT), to)
      return { name, host: '127.0.0.1', port: postgres, user: AGENT, password, database: to }
    },
    [Symbol.asyncDispose]: stop,
  }
}

async function configure(
  home: string,
  target: BenchTarget,
  issuer: string,
  listen: {
    readonly http: number
    readonly postgres: number
    readonly store: boolean
    readonly policies: string | undefined
  },
): Promise<string> {
  const resources = join(home, 'resources')
  await mkdir(resources, { recursive: true })
  await copyFile(POLICIES, join(resources, 'policies.cedar'))
  if (listen.policies !== undefined) await copyFile(listen.policies, join(resources, 'more.cedar'))
  const targets = Object.entries(PREWARM).map(([name, prewarm]) => ({
    kind: 'Target',
    name,
    protocol: 'postgres',
    address: `${target.server.host}:${target.server.port}`,
    database: target.database,
    tls: 'disable',
    tags: { env: 'bench' },
    credentials: {
      issuer: 'postgres-role',
      username: target.issuer.username,
      password: { env: 'BENCH_ISSUER_PASSWORD' },
      prewarm,
    },
  }))
  // JSON is YAML.
  const documents = [...targets, ...CLASSIFICATION].map((one) => JSON.stringify(one))
  await writeFile(join(resources, 'targets.yaml'), documents.join('\n---\n'))
  const config = join(home, 'sallyport.yaml')
  const settings = {
    listen: { http: `127.0.0.1:${listen.http}`, postgres: `127.0.0.1:${listen.postgres}` },
    dataDir: home,
    resources,
    ...(listen.store ? { database: { env: 'BENCH_STORE' } } : {}),
    identity: { issuers: [{ issuer, audience: AUDIENCE, algorithms: [SIGNING_ALGORITHM] }] },
    tickets: { maxTtl: '12h' },
    limits: { connections: 2000, handshake: '60s' },
    log: { level: 'warn' },
  }
  await writeFile(config, JSON.stringify(settings, null, 2))
  return config
}

async function ticketFor(url: string, token: string, target: string): Promise<string> {
  const response = await fetch(`${url}/api/v1/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ target, purpose: 'npm run bench', ttl: '12h' }),
  })
  const text = await response.text()
  const body: { ticket?: string } = response.ok ? JSON.parse(text) : {}
  if (body.ticket !== undefined) return body.ticket
  throw new Error(`no ticket for ${target}: ${text}`)
}
