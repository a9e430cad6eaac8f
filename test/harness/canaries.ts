import { createHash } from 'node:crypto'

/** Letters of no hexadecimal number and of few words: what is found of them has come from a canary. */
const LETTERS = 'qxzjkwv'
/** From so many characters on, a part of a canary is a leak. */
const PART = 5
const DIGITS_PART = 6

/** A text that appears nowhere but in one column of one row. */
export function textCanary(random: () => number, length = 14): string {
  return Array.from({ length }, () => LETTERS.charAt(Math.floor(random() * LETTERS.length))).join('')
}

/** Ten digits, none of which is nought. */
export function numberCanary(random: () => number): string {
  return Array.from({ length: 10 }, () => String(1 + Math.floor(random() * 9))).join('')
}

/** Finds canaries in what was sent: as they are, reversed, in other case, in hex or base64, whole or in part, or as a digest. */
export class CanaryWatch {
  readonly #parts = new Map<string, string>()
  readonly #hex = new Map<string, string>()
  readonly #base64 = new Map<string, string>()
  readonly #digits = new Map<string, string>()
  readonly #whole = new Map<string, string>()

  text(canary: string): void {
    for (const spelling of [canary, reversed(canary)]) {
      for (const part of windows(spelling, PART)) this.#parts.set(part, canary)
      for (const cased of [spelling, spelling.toUpperCase()]) {
        const bytes = Buffer.from(cased)
        for (const part of windows(bytes.toString('hex'), PART * 2)) this.#hex.set(part, canary)
        for (let skipped = 0; skipped < 3; skipped++) {
          // The last character may hang on what follows.
          const base64 = bytes.subarray(skipped).toString('base64').replace(/=+$/, '').slice(0, -1)
          for (const part of windows(base64, PART + 2)) this.#base64.set(part, canary)
        }
      }
    }
    for (const algorithm of ['md5', 'sha1', 'sha256']) {
      this.#whole.set(createHash(algorithm).update(canary).digest('hex'), canary)
    }
  }

  number(canary: string): void {
    for (const part of windows(canary, DIGITS_PART)) this.#digits.set(part, canary)
    for (const part of windows(reversed(canary), DIGITS_PART)) this.#digits.set(part, canary)
  }

  /** Something that is only to be found whole: a date. */
  whole(canary: string): void {
    this.#whole.set(canary, canary)
  }

  /** @returns the canary, and the part of it that was found; undefined for none */
  find(sent: Buffer): string | undefined {
    const text = sent.toString('latin1')
    const small = text.toLowerCase()
    return (
      look(small, this.#parts, PART) ??
      look(small, this.#hex, PART * 2) ??
      look(text, this.#base64, PART + 2) ??
      look(text, this.#digits, DIGITS_PART) ??
      [...this.#whole].filter(([form]) => small.includes(form)).map(([form, of]) => `${form} of ${of}`)[0]
    )
  }
}

function look(text: string, parts: ReadonlyMap<string, string>, size: number): string | undefined {
  for (let at = 0; at + size <= text.length; at++) {
    const part = text.slice(at, at + size)
    const canary = parts.get(part)
    if (canary !== undefined) return `${part} of ${canary}`
  }
  return undefined
}

function windows(text: string, size: number): readonly string[] {
  return Array.from({ length: Math.max(0, text.length - size + 1) }, (_, at) => text.slice(at, at + size))
}

function reversed(text: string): string {
  return Array.from(text).toReversed().join('')
}
