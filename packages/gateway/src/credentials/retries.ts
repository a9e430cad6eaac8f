const FIRST_MS = 15_000
const MAX_MS = 5 * 60_000
/** 2^5 × 15 s is already more than the longest wait. */
const MAX_DOUBLINGS = 5

/**
 * When something that failed is to be tried again: later each time, at most every five minutes, not all at
 * once.
 */
export class Retries {
  readonly #now: () => number
  readonly #next = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  isDue(key: string): boolean {
    return (this.#next.get(key) ?? 0) <= this.#now()
  }

  /** @param attempts failures before this one */
  failed(key: string, attempts: number): void {
    const wait = Math.min(FIRST_MS * 2 ** Math.min(attempts, MAX_DOUBLINGS), MAX_MS)
    // Half of it at least, so that things that failed together do not come back together.
    this.#next.set(key, this.#now() + wait * (0.5 + Math.random() / 2))
  }

  forget(key: string): void {
    this.#next.delete(key)
  }
}
