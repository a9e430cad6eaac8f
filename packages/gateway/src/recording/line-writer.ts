const QUOTE = 0x22
const BACKSLASH = 0x5c
const FIRST_PRINTABLE = 0x20
/** DEL and everything that is not ASCII is left to the runtime. */
const LAST_PRINTABLE = 0x7e
const ZERO = 0x30
/** Numbers below this are taken apart in 32-bit arithmetic. */
const BILLION = 1_000_000_000
const BILLION_DIGITS = 9

/** Bytes of JSON that one UTF-16 unit of a string can become (RFC 8259 §7: `\u001f`). */
export const MAX_STRING_UNIT = 6
/** Bytes of UTF-8 that one UTF-16 unit can become. */
export const MAX_UTF8 = 3
/** Bytes that a number can become. */
export const MAX_NUMBER = 24

/**
 * Puts lines of JSON together in memory, byte by byte: several for every statement, so that strings made only to be encoded
 * would be most of what the garbage collector has to look at. Whoever writes has seen to it that there is room.
 */
export class LineWriter {
  readonly memory: Buffer
  /** Where the next byte goes. */
  at = 0

  constructor(memory: Buffer) {
    this.memory = memory
  }

  /** As it is. */
  copy(bytes: Buffer): void {
    this.memory.set(bytes, this.at)
    this.at += bytes.length
  }

  /** JSON that is there already. At most `MAX_UTF8` bytes a unit. */
  json(text: string): void {
    const { memory } = this
    let { at } = this
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > LAST_PRINTABLE) {
        this.at += memory.write(text, this.at)
        return
      }
      memory[at++] = unit
    }
    this.at = at
  }

  /** A string literal, equal to `JSON.stringify(text)`. At most `MAX_STRING_UNIT` bytes a unit and two. */
  string(text: string): void {
    const { memory } = this
    let { at } = this
    memory[at++] = QUOTE
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit < FIRST_PRINTABLE || unit > LAST_PRINTABLE || unit === QUOTE || unit === BACKSLASH) {
        this.at += memory.write(JSON.stringify(text), this.at)
        return
      }
      memory[at++] = unit
    }
    memory[at++] = QUOTE
    this.at = at
  }

  /** At most `MAX_NUMBER` bytes. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) this.json(String(value))
    else if (value < BILLION) this.#digits(value, digitsOf(value))
    else {
      const high = Math.floor(value / BILLION)
      this.number(high)
      this.#digits(value - high * BILLION, BILLION_DIGITS)
    }
  }

  #digits(value: number, count: number): void {
    const { memory } = this
    let rest = value
    this.at += count
    for (let at = this.at - 1; at >= this.at - count; at--) {
      const tens = (rest / 10) | 0
      memory[at] = ZERO + rest - tens * 10
      rest = tens
    }
  }
}

function digitsOf(value: number): number {
  let digits = 1
  for (let more = 10; value >= more; more *= 10) digits++
  return digits
}
