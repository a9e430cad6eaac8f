import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { basename, join } from 'node:path'
import { Client } from 'pg'
import { Secret } from '../../packages/gateway/src/access/secret.ts'
import { makeSelfSigned } from '../../packages/gateway/src/config/self-signed.ts'
import { initCluster } from '../../packages/gateway/src/store/init-cluster.ts'
import type { PostgresBinaries } from '../../packages/gateway/src/store/postgres-binaries.ts'
import { usableBinaries } from '../../packages/gateway/src/store/postgres-binaries.ts'
import { isAlive, runningPostmaster, stopPostmaster } from '../../packages/gateway/src/store/postmaster.ts'
import type { RunAs } from '../../packages/gateway/src/store/run-as.ts'
import { run, unprivilegedUser } from '../../packages/gateway/src/store/run-as.ts'
import { runPostmaster } from '../../packages/gateway/src/store/run-postmaster.ts'

const SUPERUSER = 'postgres'
const PASSWORD = 'only for tests'
const DEBIAN_SERVERS = '/usr/lib/postgresql'
const PREFIX = 'sallyport-test-pg-'

/** A real, empty PostgreSQL for one test file; nothing of it is durable. */
export interface TargetPostgres extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Secret
  readonly database: string
  /** As the superuser, to the database `postgres`. */
  readonly url: Secret
  /** Of the postmaster. */
  readonly pid: number
  /** The data directory's real path. */
  readonly data: string
  /** The server's own log, for tests of what must not be in it. */
  readonly logFile: string
  /** With `tls: true`: the PEM certificate, for 127.0.0.1 and localhost, that verifies the server. */
  readonly ca: string | undefined
  /** A connected client of the superuser; ended by `stop` if the test did not. */
  client(database?: string): Promise<Client>
  /** Ends the server at once and removes its files. */
  stop(): Promise<void>
}

/**
 * Starts a server in about 0.1 s on a free port: the cluster is made once per machine and copied.
 * @param options.settings `name=value` each, after ours, so that they win
 */
export async function startTargetPostgres(
  options: {
    readonly settings?: readonly string[]
    readonly tls?: boolean
    /** Another PostgreSQL than the embedded one. */
    readonly binaries?: PostgresBinaries
  } = {},
): Promise<TargetPostgres> {
  const as = unprivilegedUser()
  const binaries = options.binaries ?? (await usableBinaries(as))
  await removeAbandoned()
  const template = await templateCluster(binaries, as)
  const home = await mkdtemp(join(await realpath(tmpdir()), `${PREFIX}${process.pid}-`))
  await chmod(home, 0o711)
  const data = join(home, 'data')
  await copyTree(template, data)

  const settings: Record<string, string> = {
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    shared_buffers: '32MB',
    max_connections: '300',
    autovacuum: 'off',
  }
  const ca = options.tls === true ? await addCertificate(data, as, settings) : undefined
  for (const setting of options.settings ?? []) {
    const [name = '', ...value] = setting.split('=')
    settings[name.trim()] = value.join('=').trim()
  }
  const logFile = join(home, 'server.log')
  const server = await runPostmaster({ binaries, data, as, port: undefined, logFile, settings })

  const url = new Secret(
    `postgres://${SUPERUSER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}/postgres`,
  )
  const clients: Client[] = []
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
      await server.stop()
      await rm(home, { recursive: true, force: true })
    })())
  return {
    host: '127.0.0.1',
    port: server.port,
    user: SUPERUSER,
    password: new Secret(PASSWORD),
    database: 'postgres',
    url,
    pid: server.pid,
    data,
    logFile,
    ca,
    async client(database = 'postgres') {
      const client = new Client({
        host: '127.0.0.1',
        port: server.port,
        user: SUPERUSER,
        password: PASSWORD,
        database,
      })
      // A test that stops the server under its client wants to see its query fail, not the process end.
      client.on('error', () => undefined)
      await client.connect()
      clients.push(client)
      return client
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** The newest PostgreSQL server that this machine has as Debian packages it, with the programs that belong to it. */
export function installedPostgres():
  | { readonly version: number; readonly binaries: PostgresBinaries; readonly pgDump: string }
  | undefined {
  const versions = existsSync(DEBIAN_SERVERS) ? readdirSync(DEBIAN_SERVERS) : []
  for (const version of versions.map(Number).toSorted((a, b) => b - a)) {
    const root = join(DEBIAN_SERVERS, String(version))
    const [initdb, postgres, pgDump] = ['initdb', 'postgres', 'pg_dump'].map((name) =>
      join(root, 'bin', name),
    )
    if (initdb && postgres && pgDump && [initdb, postgres, pgDump].every((file) => existsSync(file)))
      return { version, binaries: { root, initdb, postgres }, pgDump }
  }
  return undefined
}

/** Test processes may come at the same time: each makes a half-finished one of its own, the first rename wins. */
async function templateCluster(binaries: PostgresBinaries, as: RunAs): Promise<string> {
  const { uid } = userInfo()
  const version = (await run(binaries.postgres, ['--version'], as)).stdout.trim().replaceAll(/[^\w.]+/g, '-')
  const parent = join(await realpath(tmpdir()), `sallyport-test-template-${uid}-${version}`)
  const data = join(parent, 'data')
  if (existsSync(data)) return data
  await mkdir(parent, { recursive: true, mode: 0o711 })
  if (as.uid !== undefined && as.gid !== undefined) await chown(parent, as.uid, as.gid)
  const mine = join(parent, `made-${randomUUID()}`)
  await initCluster(binaries, { parent, data: mine, as }, SUPERUSER, new Secret(PASSWORD), [
    '--no-sync',
    '--wal-segsize=1',
  ])
  await rename(mine, data).catch(async () => rm(mine, { recursive: true, force: true }))
  return data
}

async function copyTree(from: string, to: string): Promise<void> {
  const reflink = process.platform === 'linux' ? ['--reflink=auto'] : []
  const copied = await run('/bin/cp', ['-Rp', ...reflink, from, to], {})
  if (copied.code !== 0) throw new Error(`the template cluster could not be copied: ${copied.stderr}`)
}

async function addCertificate(data: string, as: RunAs, settings: Record<string, string>): Promise<string> {
  const { cert, key } = makeSelfSigned(['127.0.0.1', 'localhost'])
  for (const [name, text] of [
    ['server.crt', cert],
    ['server.key', key.reveal()],
  ] as const) {
    await writeFile(join(data, name), text, { mode: 0o600 })
    if (as.uid !== undefined && as.gid !== undefined) await chown(join(data, name), as.uid, as.gid)
  }
  settings['ssl'] = 'on'
  return cert
}

/** What a killed test run left: its servers are ended and their files removed. */
async function removeAbandoned(): Promise<void> {
  const root = await realpath(tmpdir())
  for (const name of await readdir(root)) {
    const owner = Number(/^sallyport-test-pg-(\d+)-/.exec(name)?.[1])
    if (!(owner > 0) || isAlive(owner)) continue
    const home = join(root, basename(name))
    const data = join(home, 'data')
    const server = await runningPostmaster(data)
    if (server !== undefined) await stopPostmaster(data, server.pid)
    await rm(home, { recursive: true, force: true }).catch(() => undefined)
  }
}
