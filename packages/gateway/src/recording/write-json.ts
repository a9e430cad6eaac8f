import type { JournalLine } from './ports.ts'

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

/*
 * JSON is put together in memory, byte by byte: several lines for every statement, so that strings made only to be encoded
 * would be most of what the garbage collector has to look at. Whoever writes has seen to it that there is room.
 */

/** Bytes as they are. */
export function writeBytes(line: JournalLine, bytes: Buffer): void {
  line.memory.set(bytes, line.at)
  line.at += bytes.length
}

/** JSON that is there already. At most `MAX_UTF8` bytes a unit. */
export function writeJson(line: JournalLine, text: string): void {
  const { memory } = line
  let { at } = line
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > LAST_PRINTABLE) {
      line.at += memory.write(text, line.at)
      return
    }
    memory[at++] = unit
  }
  line.at = at
}

/** A string literal, equal to `JSON.stringify(text)`. At most `MAX_STRING_UNIT` bytes a unit and two. */
export function writeString(line: JournalLine, text: string): void {
  const { memory } = line
  let { at } = line
  memory[at++] = QUOTE
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < FIRST_PRINTABLE || unit > LAST_PRINTABLE || unit === QUOTE || unit === BACKSLASH) {
      line.at += memory.write(JSON.stringify(text), line.at)
      return
    }
    memory[at++] = unit
  }
  memory[at++] = QUOTE
  line.at = at
}

/** A number, equal to `JSON.stringify(value)` for what is finite. At most `MAX_NUMBER` bytes. */
export function writeNumber(line: JournalLine, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) writeJson(line, String(value))
  else if (value < BILLION) writeDigits(line, value, digitsOf(value))
  else {
    const high = Math.floor(value / BILLION)
    writeNumber(line, high)
    writeDigits(line, value - high * BILLION, BILLION_DIGITS)
  }
}

function writeDigits(line: JournalLine, value: number, count: number): void {
  const { memory, at: start } = line
  let rest = value
  for (let at = start + count - 1; at >= start; at--) {
    const tens = (rest / 10) | 0
    memory[at] = ZERO + rest - tens * 10
    rest = tens
  }
  line.at = start + count
}

function digitsOf(value: number): number {
  let digits = 1
  for (let more = 10; value >= more; more *= 10) digits++
  return digits
}
