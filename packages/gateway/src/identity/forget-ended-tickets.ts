import type { TicketStore } from './ports.ts'

/** Every query through MCP makes a ticket; a store must not grow with each for good. */
const EVERY_MS = 10 * 60_000
/** Somebody may still ask what a ticket was that has just ended. */
const KEPT_MS = 24 * 60 * 60_000

export interface TicketLog {
  warn(details: object, message: string): void
}

/** Removes tickets a day after their end, at once and every ten minutes, until it is disposed of. `now`: epoch milliseconds. */
export function forgetEndedTickets(
  store: Pick<TicketStore, 'prune'>,
  log: TicketLog,
  now: () => number = Date.now,
): Disposable {
  const prune = (): void => {
    store.prune(new Date(now() - KEPT_MS)).catch((error: unknown) => {
      log.warn(
        { error: String(error) },
        'tickets that have ended could not be removed; it will be tried again',
      )
    })
  }
  prune()
  const timer = setInterval(prune, EVERY_MS)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
