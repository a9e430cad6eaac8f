import { spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { SallyportError } from '../access/errors.ts'
import { freePort, isFree } from './free-port.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { stopPostmaster, untilReady } from './postmaster.ts'
import type { RunAs } from './run-as.ts'
import { bareEnvironment } from './run-as.ts'

/** Crash recovery of a large store takes time; a server that takes longer than this is stuck. */
const START_TIMEOUT_MS = 120_000
/** A port can be taken between choosing and using it, and a killed server's children can outlive it for a moment. */
const START_TRIES = 5
const MAX_LOG_SHOWN = 2_000

export interface RunningPostmaster {
  readonly pid: number
  readonly port: number
  stop(): Promise<void>
}

/**
 * Starts a server on 127.0.0.1 only, without Unix sockets, in a session of its own: Ctrl-C in the gateway's terminal
 * must not end the database before the gateway has written its last rows.
 * @param port is used if it is free, else another one is
 * @throws SallyportError STORE_UNAVAILABLE with the end of the server's log
 */
export async function runPostmaster(options: {
  readonly binaries: PostgresBinaries
  /** Real path of the data directory. */
  readonly data: string
  readonly as: RunAs
  readonly port: number | undefined
  readonly logFile: string
  readonly settings: Readonly<Record<string, string>>
}): Promise<RunningPostmaster> {
  let port = options.port
  for (let tries = 1; ; tries++) {
    if (port === undefined || !(await isFree(port))) port = await freePort()
    const started = await startOnce({ ...options, port })
    if (started !== undefined) return started
    const log = await readFile(options.logFile, 'utf8').catch(() => '')
    const passing = /could not bind|still in use/.test(log)
    if (!passing || tries === START_TRIES) {
      throw new SallyportError(
        'STORE_UNAVAILABLE',
        `the embedded PostgreSQL did not start: ${log.trim().slice(-MAX_LOG_SHOWN)}`,
        { hint: `its log is ${options.logFile}` },
      )
    }
    port = undefined
  }
}

async function startOnce(
  options: Parameters<typeof runPostmaster>[0] & { readonly port: number },
): Promise<RunningPostmaster | undefined> {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(options.port),
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    // A failed statement may hold data in its literals, and this log is nobody's recording.
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    ...options.settings,
  }
  const log = await open(options.logFile, 'w', 0o600)
  try {
    const child = spawn(
      options.binaries.postgres,
      [
        '-D',
        options.data,
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      {
        ...options.as,
        cwd: '/',
        env: bareEnvironment(),
        stdio: ['ignore', log.fd, log.fd],
        detached: true,
      },
    )
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve())
      child.once('exit', () => resolve())
    })
    const { pid } = child
    if (pid === undefined) {
      await ended
      return undefined
    }
    child.unref()
    const failed = new AbortController()
    void ended.then(() => failed.abort())
    const ready = await untilReady(options.data, pid, START_TIMEOUT_MS, failed.signal)
    if (ready === undefined) {
      await stopPostmaster(options.data, pid)
      return undefined
    }
    const stop = async (): Promise<void> => {
      // The exit must be seen even though nothing else may be keeping the event loop alive.
      child.ref()
      await stopPostmaster(options.data, pid)
      await ended
    }
    return { pid, port: options.port, stop }
  } finally {
    await log.close()
  }
}
