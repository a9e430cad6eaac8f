/** Longer statements are read whole: they are rare, and their shapes hardly ever come again. */
const MAX_BYTES = 8192

/** What a byte may begin. Everything that is not here needs the real lexer. */
const OTHER = 0
const SPACE_OR_SIGN = 1
const DIGIT = 2
const LETTER = 3
const QUOTE = 4
const DOUBLE_QUOTE = 5
const DOLLAR = 6

const CLASSES = classes()

function classes(): Uint8Array {
  const table = new Uint8Array(256).fill(OTHER)
  const set = (bytes: string, value: number) => {
    for (const byte of Buffer.from(bytes, 'latin1')) table[byte] = value
  }
  set(' \t\n\r\f()[],;.:=<>+-*/%!&|^~@#', SPACE_OR_SIGN)
  set('0123456789', DIGIT)
  set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', LETTER)
  set("'", QUOTE)
  set('"', DOUBLE_QUOTE)
  set('$', DOLLAR)
  return table
}

const QUESTION_MARK = 0x3f
const DOT = 0x2e
const MINUS = 0x2d
const STAR = 0x2a
const SLASH = 0x2f
const AMPERSAND = 0x26
const BACKSLASH = 0x5c
const APOSTROPHE = 0x27
const DOUBLE = 0x22
const DEL = 0x7f

/** An integer of up to so many digits fits int4; longer ones are another type to PostgreSQL. */
const INT4_DIGITS = 9

/** Scratch space: filled and read within one call, never seen outside of it. A shape is at most twice as long as its text. */
const OUT = Buffer.allocUnsafeSlow(2 * MAX_BYTES)
/** The shape before, as bytes and as a string. */
const LAST = Buffer.allocUnsafeSlow(2 * MAX_BYTES)
let last = ''

/**
 * What a statement looks like without its literals, or undefined for one that only the real lexer may take apart: with
 * comments, E'', U&'', B'' or dollar strings, backslashes, anything but ASCII, numbers other than plain decimals.
 * `?` stands for an integer, `??` for a long one, `?.` for a decimal, `?'` for a string; a `?` of the statement's own
 * has no shape. Two statements of one shape have the same parse tree but for the values of their literals.
 *
 * @param bytes holds the statement, without a closing NUL, from `start` up to `end`
 */
export function shapeKey(bytes: Buffer, start: number, end: number): string | undefined {
  if (end - start > MAX_BYTES) return undefined
  let out = 0
  let at = start
  while (at < end) {
    const byte = bytes[at] ?? 0
    switch (CLASSES[byte] ?? OTHER) {
      case SPACE_OR_SIGN: {
        const next = at + 1 < end ? (bytes[at + 1] ?? 0) : 0
        if (byte === MINUS && next === MINUS) return undefined
        if (byte === SLASH && next === STAR) return undefined
        if (byte === DOT && CLASSES[next] === DIGIT) return undefined
        // U&'…' and U&"…" have escapes of their own.
        if (byte === AMPERSAND && (next === APOSTROPHE || next === DOUBLE)) return undefined
        OUT[out++] = byte
        at++
        break
      }
      case LETTER: {
        let inside: number | undefined
        do {
          OUT[out++] = bytes[at++] ?? 0
          inside = at < end ? CLASSES[bytes[at] ?? 0] : OTHER
        } while (inside === LETTER || inside === DIGIT || inside === DOLLAR)
        // E'…', B'…', X'…', N'…'
        if (inside === QUOTE) return undefined
        break
      }
      case DIGIT: {
        const whole = endOfDigits(bytes, at, end)
        const after = endOfNumber(bytes, whole, end)
        if (after < 0) return undefined
        OUT[out++] = QUESTION_MARK
        if (after > whole) OUT[out++] = DOT
        else if (whole - at > INT4_DIGITS) OUT[out++] = QUESTION_MARK
        at = after
        break
      }
      case QUOTE: {
        at = endOfQuoted(bytes, at, end, APOSTROPHE)
        if (at < 0) return undefined
        OUT[out++] = QUESTION_MARK
        OUT[out++] = APOSTROPHE
        break
      }
      case DOUBLE_QUOTE: {
        const after = endOfQuoted(bytes, at, end, DOUBLE)
        if (after < 0) return undefined
        while (at < after) OUT[out++] = bytes[at++] ?? 0
        break
      }
      case DOLLAR: {
        // $1: which parameter it is, is no literal.
        OUT[out++] = byte
        at++
        const digits = at
        while (at < end && CLASSES[bytes[at] ?? 0] === DIGIT) OUT[out++] = bytes[at++] ?? 0
        const next = at < end ? CLASSES[bytes[at] ?? 0] : OTHER
        if (at === digits || next === LETTER || next === DOLLAR || next === QUOTE) return undefined
        break
      }
      default:
        return undefined
    }
  }
  return shapeIn(out)
}

/**
 * The text in `OUT[0, end)`. Statements of one shape come one after the other, and a string that was looked up before is found
 * without being hashed and compared.
 */
function shapeIn(end: number): string {
  if (end === last.length) {
    let same = 0
    while (same < end && OUT[same] === LAST[same]) same++
    if (same === end) return last
  }
  OUT.copy(LAST, 0, 0, end)
  last = OUT.toString('latin1', 0, end)
  return last
}

/** Just after a number of which `at` ends the first digits; -1 for every way to write one but `12` and `1.2`. */
function endOfNumber(bytes: Buffer, at: number, end: number): number {
  let after = at
  if (after < end && bytes[after] === DOT) {
    after = endOfDigits(bytes, at + 1, end)
    if (after === at + 1 || (after < end && bytes[after] === DOT)) return -1
  }
  const next = after < end ? CLASSES[bytes[after] ?? 0] : OTHER
  return next === LETTER || next === DOLLAR || next === QUOTE ? -1 : after
}

function endOfDigits(bytes: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && CLASSES[bytes[at] ?? 0] === DIGIT) at++
  return at
}

/** Just after the closing quote; a doubled one is part of the text. -1 when there is none, or other than plain ASCII. */
function endOfQuoted(bytes: Buffer, start: number, end: number, quote: number): number {
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at] ?? 0
    if (byte === quote) {
      if (at + 1 >= end || bytes[at + 1] !== quote) return at + 1
      at++
    } else if (byte >= DEL || byte === BACKSLASH || byte === 0) return -1
  }
  return -1
}
