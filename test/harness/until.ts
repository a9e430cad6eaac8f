import { setTimeout as sleep } from 'node:timers/promises'

/** Long enough for the slowest machine under the heaviest load: a test that waits for so long has failed. */
const PATIENCE_MS = 30_000

/**
 * Asks again and again until the answer is neither false nor undefined.
 * @param what is named in the error when it never is
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | undefined> | T | false | undefined,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = Date.now() + patienceMs
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== undefined) return answer
    if (Date.now() > end) throw new Error(`still not after ${patienceMs / 1000} s: ${what}`)
    await sleep(20)
  }
}
