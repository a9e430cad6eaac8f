/** A type's binary format ("send" and "receive" functions) as PostgreSQL's own text, and back. */
export interface BinaryCodec {
  /** @throws RangeError for bytes that are no value of the type */
  decode(bytes: Buffer, start: number, end: number): string
  /** @throws RangeError for text that is no value of the type */
  encode(text: string): Buffer
}

export const TEXT: BinaryCodec = {
  decode: (bytes, start, end) => bytes.toString('utf8', start, end),
  encode: (text) => Buffer.from(text),
}

export const BOOL: BinaryCodec = {
  decode: (bytes, start, end) => (ofSize(bytes, start, end, 1)[0] === 0 ? 'f' : 't'),
  encode(text) {
    if (text !== 't' && text !== 'f') throw notA('boolean', text)
    return Buffer.from([text === 't' ? 1 : 0])
  },
}

/** Int16, Int32, Int64; an OID is an unsigned Int32. */
export function integer(size: 2 | 4 | 8, isSigned = true): BinaryCodec {
  const bits = size * 8
  return {
    decode(bytes, start, end) {
      const unsigned = BigInt(`0x${ofSize(bytes, start, end, size).toString('hex')}`)
      return String(isSigned ? BigInt.asIntN(bits, unsigned) : unsigned)
    },
    encode(text) {
      if (!/^-?\d{1,20}$/.test(text)) throw notA('integer', text)
      const value = BigInt(text)
      const wrapped = BigInt.asUintN(bits, value)
      const back = isSigned ? BigInt.asIntN(bits, wrapped) : wrapped
      if (back !== value) throw notA(`integer of ${size} bytes`, text)
      return Buffer.from(wrapped.toString(16).padStart(size * 2, '0'), 'hex')
    },
  }
}

export const FLOAT4: BinaryCodec = {
  decode(bytes, start, end) {
    const value = ofSize(bytes, start, end, 4).readFloatBE(0)
    return floatText(value, shortestSingle(value), 6)
  },
  encode(text) {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeFloatBE(readFloat(text))
    return bytes
  },
}

export const FLOAT8: BinaryCodec = {
  decode(bytes, start, end) {
    const value = ofSize(bytes, start, end, 8).readDoubleBE(0)
    return floatText(value, value.toExponential(), 15)
  },
  encode(text) {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeDoubleBE(readFloat(text))
    return bytes
  },
}

/** The fewest digits that still are this single-precision number. */
function shortestSingle(value: number): string {
  for (let digits = 0; digits < 9; digits++) {
    const text = value.toExponential(digits)
    if (Math.fround(Number(text)) === value) return text
  }
  return value.toExponential()
}

/** As `float8out` writes it: with an exponent below 1e-4 and from 10^`digits` on. `scientific`: in JavaScript's notation. */
function floatText(value: number, scientific: string, digits: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value < 0 ? '-Infinity' : 'Infinity'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [mantissa = '', power = '0'] = scientific.split('e')
  const exponent = Number(power)
  if (exponent < -4 || exponent >= digits) {
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${size}`
  }
  const sign = value < 0 ? '-' : ''
  const all = mantissa.replace('-', '').replace('.', '')
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${all}`
  const whole = all.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  const fraction = all.slice(exponent + 1)
  return fraction === '' ? sign + whole : `${sign}${whole}.${fraction}`
}

function readFloat(text: string): number {
  if (text === 'NaN') return Number.NaN
  if (!/^-?(?:Infinity|\d{1,400}(?:\.\d{1,400})?(?:e[+-]?\d{1,4})?)$/.test(text)) throw notA('number', text)
  return Number(text)
}

export const BYTEA: BinaryCodec = {
  decode: (bytes, start, end) => `\\x${bytes.toString('hex', start, end)}`,
  encode(text) {
    if (!/^\\x(?:[0-9a-f]{2})*$/i.test(text)) throw notA('bytea', text)
    return Buffer.from(text.slice(2), 'hex')
  },
}

export const UUID: BinaryCodec = {
  decode: (bytes, start, end) =>
    ofSize(bytes, start, end, 16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
  encode(text) {
    const hex = text.replaceAll('-', '')
    if (!/^[0-9a-f]{32}$/i.test(hex)) throw notA('uuid', text)
    return Buffer.from(hex, 'hex')
  },
}

/** One byte with the version of the format, 1, and the document's text (`jsonb_send`). */
export const JSONB: BinaryCodec = {
  decode(bytes, start, end) {
    if (end <= start || bytes[start] !== 1) throw new RangeError('jsonb of an unknown version')
    return bytes.toString('utf8', start + 1, end)
  },
  encode: (text) => Buffer.concat([Buffer.from([1]), Buffer.from(text)]),
}

/** @throws RangeError when the value has another size */
export function ofSize(bytes: Buffer, start: number, end: number, size: number): Buffer {
  if (end - start !== size) throw new RangeError(`a value of ${size} bytes has ${end - start}`)
  return bytes.subarray(start, end)
}

/** Says what was wrong without saying what the value was. */
export function notA(type: string, text: string): RangeError {
  return new RangeError(`a text of ${text.length} characters is no ${type}`)
}
