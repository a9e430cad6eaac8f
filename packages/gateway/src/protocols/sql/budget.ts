/** The statement is too large to be followed, and therefore opaque. */
export class TooMuchToFollow extends Error {}

/**
 * Bounds the work on one statement: nodes that are looked at, columns and sources that are put together. Some 100 ms; what
 * people and their programs write takes less than a thousandth of it.
 */
const MAX_STEPS = 500_000

/** What is left of the work that one statement may cause. */
export class Budget {
  #left = MAX_STEPS

  /** @throws TooMuchToFollow */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0)
      throw new TooMuchToFollow('it is too large for where its values come from to be followed')
  }
}
