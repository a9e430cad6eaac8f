import { setTimeout as sleep } from 'node:timers/promises'
import type { ApprovalLog } from '../ports.ts'

/** Between attempts: from a second on, doubled each time, up to a minute. */
const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 60_000

/** What holds a connection to Slack: Bolt's receiver for Socket Mode. */
export interface SocketConnection {
  start(): Promise<unknown>
  stop(): Promise<unknown>
  /** Calls back once, when the connection that was started is gone; not any more after the returned function was called. */
  onceGone(gone: () => void): () => void
}

/**
 * Keeps the connection up, for good. The library's own reconnecting is switched off: an attempt of its that fails is a
 * promise that nobody catches, which would end the gateway.
 * @param connected called each time that it has come up
 */
export async function keepConnected(
  connection: SocketConnection,
  connected: () => void,
  log: ApprovalLog,
  stop: AbortSignal,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve()))
  let wait = FIRST_WAIT_MS
  while (!stop.aborted) {
    const gone = Promise.withResolvers<void>()
    const forget = connection.onceGone(gone.resolve)
    try {
      await Promise.race([connection.start(), stopped])
      if (stop.aborted) break
      wait = FIRST_WAIT_MS
      connected()
      await Promise.race([gone.promise, stopped])
    } catch (error) {
      log.warn({ err: error }, 'Slack cannot be reached; approvals are decided elsewhere meanwhile')
    } finally {
      forget()
    }
    await sleep(wait, undefined, { signal: stop, ref: false }).catch(() => undefined)
    wait = Math.min(wait * 2, LONGEST_WAIT_MS)
  }
  await connection.stop().catch(() => undefined)
}
