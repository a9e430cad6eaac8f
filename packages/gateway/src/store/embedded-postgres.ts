import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SallyportError } from '../access/errors.ts'
import { Secret } from '../access/secret.ts'
import type { ClusterPlace } from './cluster-place.ts'
import { clusterPlace } from './cluster-place.ts'
import { initCluster } from './init-cluster.ts'
import { usableBinaries } from './postgres-binaries.ts'
import { runningPostmaster, stopPostmaster, untilReady } from './postmaster.ts'
import type { RunningPostmaster } from './run-postmaster.ts'
import { runPostmaster } from './run-postmaster.ts'
import type { StoreLog } from './store-log.ts'

const SUPERUSER = 'sallyport'
/** A server that was told to end just before we came ends within this. */
const LEAVING_TIMEOUT_MS = 30_000

/** A PostgreSQL of our own on 127.0.0.1. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Secret
  /** `postgres://user:password@host:port/postgres`, as the superuser. */
  readonly url: Secret
  readonly pid: number
  /** It was running already: left by a gateway that was killed, or in use by one that lives. */
  readonly adopted: boolean
  /** Ends its sessions, writes a checkpoint, waits for its exit. Does nothing the second time. */
  stop(): Promise<void>
}

/**
 * Runs a real PostgreSQL with its data under `dir`, made on the first start and used again on the next ones. As root it
 * runs as an unprivileged account, with its data elsewhere when that account cannot reach `dir` (`clusterPlace`). A
 * server that already runs on the data is adopted, not restarted: another gateway may be using it, and the store's own
 * lock finds that out.
 * @param options.port undefined or 0: the one of the last start, or a free one
 * @param options.settings further server settings, for `-c name=value`
 * @throws SallyportError STORE_UNAVAILABLE
 */
export async function startEmbedded(options: {
  readonly dir: string
  readonly port?: number
  readonly settings?: Readonly<Record<string, string>>
  readonly log: StoreLog
}): Promise<EmbeddedPostgres> {
  const { dir, log } = options
  await mkdir(dir, { recursive: true, mode: 0o711 })
  const place = await clusterPlace(dir)
  const binaries = await usableBinaries(place.as)
  const password = await superuserPassword(dir, place)
  const portFile = join(dir, 'port')

  let data = place.data
  if (!place.exists) {
    log.info({ data }, 'making the embedded PostgreSQL')
    data = await initCluster(binaries, place, SUPERUSER, password)
  }
  const adopted = await adopt(data, log)
  const server =
    adopted ??
    (await runPostmaster({
      binaries,
      data,
      as: place.as,
      port: options.port || (await lastPort(portFile)),
      logFile: join(dir, 'server.log'),
      settings: options.settings ?? {},
    }))
  await writeFile(portFile, `${server.port}\n`)
  log.info(
    { pid: server.pid, port: server.port, adopted: adopted !== undefined },
    'embedded PostgreSQL is ready',
  )

  const host = '127.0.0.1'
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= server.stop())
  return {
    host,
    port: server.port,
    user: SUPERUSER,
    password,
    url: new Secret(`postgres://${SUPERUSER}:${password.reveal()}@${host}:${server.port}/postgres`),
    pid: server.pid,
    adopted: adopted !== undefined,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Waits out a server that is starting or leaving; a ready one is ours from now on. */
async function adopt(data: string, log: StoreLog): Promise<RunningPostmaster | undefined> {
  const found = await runningPostmaster(data)
  if (found === undefined) return undefined
  const ready = await untilReady(data, found.pid, LEAVING_TIMEOUT_MS)
  if (ready !== undefined) {
    log.warn({ pid: ready.pid }, 'the embedded PostgreSQL is running already; using it')
    return { pid: ready.pid, port: ready.port, stop: () => stopPostmaster(data, ready.pid) }
  }
  const still = await runningPostmaster(data)
  if (still === undefined) return undefined
  throw new SallyportError(
    'STORE_UNAVAILABLE',
    `a PostgreSQL server (process ${still.pid}) hangs on ${data}`,
    {
      hint: 'end that process and start again',
    },
  )
}

/** Made before the cluster is, so that no cluster is without one. */
async function superuserPassword(dir: string, place: ClusterPlace): Promise<Secret> {
  const file = join(dir, 'superuser-password')
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw new SallyportError('STORE_UNAVAILABLE', `${file} cannot be read`, { cause: error })
  })
  if (kept.trim() !== '') return new Secret(kept.trim())
  if (place.exists) {
    throw new SallyportError(
      'STORE_UNAVAILABLE',
      `${file} is missing, and ${place.data} cannot be opened without`,
      {
        hint: 'put the file back, or remove that folder to begin with an empty store',
      },
    )
  }
  const made = randomBytes(24).toString('base64url')
  await writeFile(file, `${made}\n`, { mode: 0o600 })
  await chmod(file, 0o600)
  return new Secret(made)
}

async function lastPort(file: string): Promise<number | undefined> {
  const port = Number(await readFile(file, 'utf8').catch(() => ''))
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}
