import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { kill } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode } from './error-code.ts'

/** What a running server says of itself in `postmaster.pid` (PostgreSQL, `src/include/utils/pidfile.h`). */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly status: 'starting' | 'stopping' | 'ready' | 'standby' | 'unknown'
}

const POLL_MS = 10

/** The server that says it has this data directory, if it is still alive. */
export async function runningPostmaster(dataDirectory: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const lines = text.split('\n')
  const pid = Math.abs(Number(lines[0]))
  if (!(pid > 1) || !isAlive(pid) || !(await mayBePostmaster(pid, dataDirectory))) return undefined
  const status = lines[7]?.trim()
  return {
    pid,
    port: Number(lines[3]),
    status:
      status === 'starting' || status === 'stopping' || status === 'ready' || status === 'standby'
        ? status
        : 'unknown',
  }
}

/** Waits until the server takes connections. Undefined when it, or the patience, ended before it did. */
export async function untilReady(
  dataDirectory: string,
  pid: number,
  timeoutMs: number,
  ended?: AbortSignal,
): Promise<Postmaster | undefined> {
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    const now = await runningPostmaster(dataDirectory)
    if (now?.pid === pid && now.status === 'ready') return now
    if (ended?.aborted === true || !isAlive(pid)) return undefined
    await sleep(POLL_MS)
  }
  return undefined
}

/**
 * Fast shutdown (SIGINT: sessions are ended, a checkpoint is written) and wait. After `timeoutMs` immediate shutdown
 * (SIGQUIT): nothing committed is lost by that, the next start replays the log.
 */
export async function stopPostmaster(dataDirectory: string, pid: number, timeoutMs = 30_000): Promise<void> {
  for (const [signal, patience] of [
    ['SIGINT', timeoutMs],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if ((await runningPostmaster(dataDirectory))?.pid !== pid) return
    try {
      kill(pid, signal)
    } catch {
      return
    }
    const deadline = Date.now() + patience
    while (Date.now() < deadline) {
      if ((await runningPostmaster(dataDirectory))?.pid !== pid) return
      await sleep(POLL_MS)
    }
  }
  throw new Error(`the PostgreSQL server with process id ${pid} does not end`)
}

/** Whether there is such a process. EPERM means that there is such a process, of somebody else. */
export function isAlive(pid: number): boolean {
  try {
    kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

/**
 * After a reboot the number in a stale file may belong to any process. A postmaster's working directory is its data
 * directory; where the system does not tell (no /proc), the number is believed.
 */
async function mayBePostmaster(pid: number, dataDirectory: string): Promise<boolean> {
  const directory = await readlink(`/proc/${pid}/cwd`).catch((error: NodeJS.ErrnoException) => error.code)
  if (directory === undefined || !directory.startsWith('/'))
    return directory !== 'ENOENT' || !(await hasProc())
  return directory === dataDirectory
}

async function hasProc(): Promise<boolean> {
  return readlink('/proc/self').then(
    () => true,
    () => false,
  )
}
