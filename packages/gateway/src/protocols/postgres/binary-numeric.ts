import { type BinaryCodec, notA } from './binary-values.ts'

const NEGATIVE = 0x4000
/** What PostgreSQL sends as the scale of an infinite value. */
const INFINITE_SCALE = 0x20

/** Values of the sign field that have no digits. */
const SPECIAL: ReadonlyMap<number, string> = new Map([
  [0xc000, 'NaN'],
  [0xd000, 'Infinity'],
  [0xf000, '-Infinity'],
])

/**
 * `numeric_send`: Int16 count, Int16 weight, Int16 sign, Int16 scale, Int16[count] digits to the base 10,000, of which the
 * first is worth 10,000^weight.
 */
export const NUMERIC: BinaryCodec = {
  decode(bytes, start, end) {
    if (end - start < 8) throw new RangeError('a numeric is shorter than its head')
    const count = bytes.readUInt16BE(start)
    const weight = bytes.readInt16BE(start + 2)
    const sign = bytes.readUInt16BE(start + 4)
    const scale = bytes.readUInt16BE(start + 6)
    if (end - start !== 8 + 2 * count) throw new RangeError('a numeric has not as many digits as it says')
    const special = SPECIAL.get(sign)
    if (special !== undefined) return special
    const digit = (position: number): string => {
      const at = weight - position
      const value = at >= 0 && at < count ? bytes.readUInt16BE(start + 8 + 2 * at) : 0
      if (value > 9999) throw new RangeError('a numeric has a digit that is none')
      return String(value).padStart(4, '0')
    }
    let whole = ''
    for (let position = Math.max(weight, 0); position >= 0; position--) whole += digit(position)
    let fraction = ''
    for (let position = -1; fraction.length < scale; position--) fraction += digit(position)
    const text = whole.replace(/^0+(?=\d)/, '') + (scale === 0 ? '' : `.${fraction.slice(0, scale)}`)
    return sign === NEGATIVE ? `-${text}` : text
  },
  encode(text) {
    for (const [sign, name] of SPECIAL)
      if (text === name) return head(0, 0, sign, text === 'NaN' ? 0 : INFINITE_SCALE)
    const [, minus, whole = '', fraction = ''] = /^(-?)(\d{1,131072})(?:\.(\d{1,16383}))?$/.exec(text) ?? []
    if (minus === undefined) throw notA('numeric', text)
    const before = whole.padStart(Math.ceil(whole.length / 4) * 4, '0')
    const after = fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0')
    const digits = (before + after).match(/.{4}/g)?.map(Number) ?? []
    let weight = before.length / 4 - 1
    while (digits[0] === 0) {
      digits.shift()
      weight--
    }
    while (digits.at(-1) === 0) digits.pop()
    const isZero = digits.length === 0
    const bytes = Buffer.alloc(2 * digits.length)
    for (const [at, digit] of digits.entries()) bytes.writeUInt16BE(digit, 2 * at)
    const sign = minus === '-' && !isZero ? NEGATIVE : 0
    return Buffer.concat([head(digits.length, isZero ? 0 : weight, sign, fraction.length), bytes])
  },
}

function head(count: number, weight: number, sign: number, scale: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16BE(count, 0)
  bytes.writeInt16BE(weight, 2)
  bytes.writeUInt16BE(sign, 4)
  bytes.writeUInt16BE(scale, 6)
  return bytes
}
