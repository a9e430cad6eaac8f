import { timingSafeEqual } from 'node:crypto'

/** A value that prints as nothing, wherever it ends up: template strings, JSON, `util.inspect`, log lines. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The plain value. Every call is a place where the secret can get out: keep them few. */
  reveal(): string {
    return this.#value
  }

  /** Compares in time that does not depend on where the two differ. */
  equals(other: Secret): boolean {
    const a = Buffer.from(this.#value)
    const b = Buffer.from(other.#value)
    return a.length === b.length && timingSafeEqual(a, b)
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]'
  }
}
