import type { World } from './world.ts'

/**
 * Settles with the signal that asks for a clean stop. Listens from the call on, so that a signal during the start is not
 * lost; the second one ends the process at once, as it would without us.
 */
export function untilStopped(world: World): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const undo = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) =>
      world.onSignal(signal, () => {
        for (const stop of undo) stop()
        resolve(signal)
      }),
    )
  })
}
