/** Numbers that look random and are the same every time (xorshift32). For made-up data only, never for secrets. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  /** An integer in [0, below). */
  below(below: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state % below
  }

  /** An integer in [from, to]. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.below(values.length)] ?? values[0]
  }

  /** `count` decimal digits. */
  digits(count: number): string {
    let digits = ''
    while (digits.length < count) digits += this.below(10)
    return digits
  }
}
