import type { World } from './world.ts'

/**
 * What comes so soon after the first signal is the same request: it goes to a whole group of processes, as from `timeout` or a
 * service manager, and npm passes it on besides. Taken for a second one it would leave the embedded PostgreSQL running.
 */
const SAME_MS = 1000

/**
 * Settles with the signal that asks for a clean stop. Listens from the call on, so that a signal during the start is not
 * lost; a second one ends the process at once, as it would without us.
 */
export function untilStopped(world: Pick<World, 'onSignal'>): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false
    const undo = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) =>
      world.onSignal(signal, () => {
        if (isStopping) return
        isStopping = true
        setTimeout(() => {
          for (const stop of undo) stop()
        }, SAME_MS).unref()
        resolve(signal)
      }),
    )
  })
}
