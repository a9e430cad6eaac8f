import { access, constants, mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { Client } from 'pg'
import { withOutputOption } from '../command-context.ts'
import { EXIT } from '../exit-codes.ts'
import { failureOf, propertyOf } from '../failure.ts'
import { loadGateway, type Address, type CheckStep, type GatewayConfig } from '../gateway-module.ts'
import { thingText } from '../output.ts'
import { formatOf, type GlobalOptions } from '../settings.ts'
import { print, type World } from '../world.ts'

interface DoctorOptions extends GlobalOptions {
  readonly config: string
}

/** One thing that was looked at, with what it belongs to. */
interface Finding extends CheckStep {
  readonly about: string
}

const DISCOVERY_TIMEOUT_MS = 5_000
const STORE_TIMEOUT_MS = 5_000

export function doctorCommand(world: World): Command {
  const command = new Command('doctor')
    .description(
      'check everything that the gateway needs, step by step; exit code 1 when something is missing',
    )
    .option('--config <path>', 'configuration of the gateway', 'sallyport.yaml')
    .action((options: DoctorOptions) => doctor(world, options))
  return withOutputOption(command)
}

async function doctor(world: World, options: DoctorOptions): Promise<void> {
  const findings: Finding[] = []
  for await (const finding of examine(world, resolve(world.cwd, options.config))) {
    const { mend, ...rest } = finding
    // What is as it should be needs no mending.
    findings.push(finding.ok || mend === undefined ? rest : { ...rest, mend })
  }
  await print(world, thingText(findings, findings.map(findingText).join(''), formatOf(options)))
  if (findings.some((finding) => !finding.ok)) world.setExitCode(EXIT.internal)
}

function findingText({ about, step, ok, detail, mend }: Finding): string {
  const said = detail === '' ? '' : `: ${detail.replaceAll('\n', '\n             ')}`
  const line = `${ok ? '✓' : '✗'} ${about.padEnd(10)} ${step}${said}\n`
  return ok || mend === undefined ? line : `${line}    try  ${mend.replaceAll('\n', '\n         ')}\n`
}

/** Looks at one thing after the other; what cannot be looked at without an earlier one is left out. */
async function* examine(world: World, path: string): AsyncGenerator<Finding> {
  const major = Number(/^v(\d+)/.exec(world.nodeVersion)?.[1])
  yield {
    about: 'node',
    step: 'version',
    ok: major >= 24,
    detail: world.nodeVersion,
    mend: 'install Node 24',
  }

  const gateway = await loadGateway()
  const config = await attempt(() => gateway.loadConfig(path, { env: world.env }))
  yield { about: 'config', step: path, ...outcome(config, 'is valid') }
  if (!config.ok) return

  yield {
    about: 'data',
    step: config.value.dataDir,
    ...outcome(await attempt(() => writable(config.value.dataDir)), 'is ours to write'),
  }
  yield { about: 'store', ...(await storeState(config.value)) }
  for (const [name, address] of Object.entries(config.value.listen)) {
    yield {
      about: 'port',
      step: `${name} ${address.host}:${address.port}`,
      ...(await portState(config.value, address)),
    }
  }
  for (const { issuer } of config.value.issuers) {
    yield { about: 'issuer', step: issuer, ...outcome(await attempt(() => discover(issuer)), 'answers') }
  }
  const { resources } = config.value
  if (resources !== undefined) {
    const readable = await attempt(() => access(resources, constants.R_OK | constants.X_OK))
    const mend = readable.ok ? {} : { mend: 'make that directory, or correct `resources:`' }
    yield { about: 'resources', step: resources, ...outcome(readable, 'can be read'), ...mend }
    if (!readable.ok) return
  }
  const targets = await attempt(() => gateway.checkTargets(config.value, world.env))
  if (!targets.ok) yield { about: 'targets', step: 'check', ...outcome(targets, '') }
  else for (const { name, steps } of targets.value) for (const step of steps) yield { about: name, ...step }
}

type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }

async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await work() }
  } catch (error) {
    return { ok: false, error }
  }
}

function outcome(result: Attempt<unknown>, good: string): { ok: boolean; detail: string; mend?: string } {
  if (result.ok) return { ok: true, detail: good }
  const failure = failureOf(result.error)
  return {
    ok: false,
    detail: failure.message,
    ...(failure.details.hint ? { mend: failure.details.hint } : {}),
  }
}

async function writable(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
}

/** A database that is ours to migrate: it answers, and lets us make tables. */
async function storeState({ database, dataDir }: GatewayConfig): Promise<CheckStep> {
  if (database === undefined) return { step: 'embedded', ok: true, detail: `PostgreSQL under ${dataDir}` }
  const client = new Client({
    connectionString: database.reveal(),
    connectionTimeoutMillis: STORE_TIMEOUT_MS,
  })
  client.on('error', () => {})
  const asked = await attempt(async () => {
    await client.connect()
    const { rows } = await client.query<{ may: boolean; version: string }>(
      `SELECT has_database_privilege(current_database(), 'CREATE') AS may, current_setting('server_version') AS version`,
    )
    return rows[0]
  })
  await client.end().catch(() => {})
  if (!asked.ok)
    return { step: 'connect', ...outcome(asked, ''), mend: 'check `database:`, and that its server runs' }
  const ok = asked.value?.may === true
  const detail = `PostgreSQL ${asked.value?.version ?? ''}${ok ? '' : ', but the account may not make tables'}`
  return { step: 'connect', ok, detail, mend: 'GRANT CREATE ON DATABASE … TO the account' }
}

/** A port is good when it is free, or when it is our own gateway that has it. */
async function portState(
  config: GatewayConfig,
  address: Address,
): Promise<{ ok: boolean; detail: string; mend?: string }> {
  const bound = await attempt(() => bind(address))
  if (bound.ok) return { ok: true, detail: 'is free' }
  const alive = await attempt(async () => {
    const response = await fetch(new URL('/healthz', config.publicUrl), timeout())
    if (!response.ok) throw new Error(`/healthz answers ${response.status}`)
  })
  if (alive.ok) return { ok: true, detail: 'is in use by the running gateway' }
  return {
    ok: false,
    detail: failureOf(bound.error).message,
    mend: 'end what has the port, or listen elsewhere',
  }
}

function bind({ host, port }: Address): Promise<void> {
  return new Promise((done, fail) => {
    const server = createServer()
    server.once('error', fail)
    server.listen(port, host, () => server.close(() => done()))
  })
}

/** OpenID Connect Discovery 1.0 §4: the document is below the issuer, and names it. */
async function discover(issuer: string): Promise<void> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const response = await fetch(url, timeout())
  if (!response.ok) throw new Error(`${url} answers ${response.status}`)
  const document: unknown = await response.json()
  if (propertyOf(document, 'issuer') !== issuer) throw new Error('the document there names another issuer')
}

function timeout(): { signal: AbortSignal } {
  return { signal: AbortSignal.timeout(DISCOVERY_TIMEOUT_MS) }
}
