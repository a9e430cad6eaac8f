import { type BinaryCodec, notA, ofSize } from './binary-values.ts'

/** Days from 1970-01-01 to PostgreSQL's own beginning of time, 2000-01-01. */
const EPOCH_DAYS = 10_957n
const DAY = 86_400_000_000n
const INFINITE_DATE = { past: -0x8000_0000n, future: 0x7fff_ffffn }
const INFINITE_TIMESTAMP = { past: -(1n << 63n), future: (1n << 63n) - 1n }

/** `date_send`: Int32 days since 2000-01-01. Text as with DateStyle ISO. */
export const DATE: BinaryCodec = {
  decode(bytes, start, end) {
    const days = BigInt(ofSize(bytes, start, end, 4).readInt32BE(0))
    return infinity(days, INFINITE_DATE) ?? dateText(days, '')
  },
  encode(text) {
    const bytes = Buffer.allocUnsafe(4)
    const [, date, bc] = /^(\d{4,7}-\d{2}-\d{2})( BC)?$/.exec(text) ?? []
    const days = date === undefined ? infinite(text, INFINITE_DATE) : daysOf(date, bc !== undefined)
    if (days === undefined) throw notA('date', text)
    bytes.writeInt32BE(Number(days))
    return bytes
  },
}

/** `timestamp_send`: Int64 microseconds since 2000-01-01, of UTC when `zoned`, which the text then says. */
export function timestamp(zoned: boolean): BinaryCodec {
  return {
    decode(bytes, start, end) {
      const micros = ofSize(bytes, start, end, 8).readBigInt64BE(0)
      const special = infinity(micros, INFINITE_TIMESTAMP)
      if (special !== undefined) return special
      const days = floorDiv(micros, DAY)
      return dateText(days, ` ${clockText(micros - days * DAY)}${zoned ? '+00' : ''}`)
    },
    encode(text) {
      const [, date, clock = '', offset, bc] =
        /^(\d{4,7}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)([+-][\d:]{2,8})?( BC)?$/.exec(text) ?? []
      const special = infinite(text, INFINITE_TIMESTAMP)
      const bytes = Buffer.allocUnsafe(8)
      if (special !== undefined) bytes.writeBigInt64BE(special)
      else if (date === undefined) throw notA('timestamp', text)
      else {
        const local = daysOf(date, bc !== undefined) * DAY + clockMicros(clock)
        bytes.writeBigInt64BE(local - (zoned && offset !== undefined ? offsetMicros(offset) : 0n))
      }
      return bytes
    },
  }
}

/** `time_send`: Int64 microseconds since midnight. */
export const TIME: BinaryCodec = {
  decode: (bytes, start, end) => clockText(ofSize(bytes, start, end, 8).readBigInt64BE(0)),
  encode(text) {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigInt64BE(clockMicros(text))
    return bytes
  },
}

/** `timetz_send`: the same, and Int32 seconds west of Greenwich. */
export const TIMETZ: BinaryCodec = {
  decode(bytes, start, end) {
    const value = ofSize(bytes, start, end, 12)
    return clockText(value.readBigInt64BE(0)) + offsetText(-value.readInt32BE(8))
  },
  encode(text) {
    const [, clock, offset] = /^([\d:.]+)([+-][\d:]{2,8})$/.exec(text) ?? []
    if (clock === undefined || offset === undefined) throw notA('time with a zone', text)
    const bytes = Buffer.allocUnsafe(12)
    bytes.writeBigInt64BE(clockMicros(clock), 0)
    bytes.writeInt32BE(Number(-offsetMicros(offset) / 1_000_000n), 8)
    return bytes
  },
}

interface Infinities {
  readonly past: bigint
  readonly future: bigint
}

function infinity(value: bigint, { past, future }: Infinities): string | undefined {
  if (value === future) return 'infinity'
  return value === past ? '-infinity' : undefined
}

function infinite(text: string, { past, future }: Infinities): bigint | undefined {
  if (text === 'infinity') return future
  return text === '-infinity' ? past : undefined
}

function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}

/** The proleptic Gregorian calendar, by 400 years of 146,097 days each, beginning in March (Hinnant, chrono algorithms). */
function dateText(days: bigint, rest: string): string {
  const shifted = days + EPOCH_DAYS + 719_468n
  const era = floorDiv(shifted, 146_097n)
  const day = Number(shifted - era * 146_097n)
  const ofEra = Math.floor(
    (day - Math.floor(day / 1460) + Math.floor(day / 36_524) - Math.floor(day / 146_096)) / 365,
  )
  const ofYear = day - (365 * ofEra + Math.floor(ofEra / 4) - Math.floor(ofEra / 100))
  const month = Math.floor((5 * ofYear + 2) / 153)
  const year = ofEra + Number(era) * 400 + (month >= 10 ? 1 : 0)
  const shown = two(ofYear - Math.floor((153 * month + 2) / 5) + 1)
  const isBc = year <= 0
  const written = String(isBc ? 1 - year : year).padStart(4, '0')
  return `${written}-${two(month < 10 ? month + 3 : month - 9)}-${shown}${rest}${isBc ? ' BC' : ''}`
}

function daysOf(date: string, isBc: boolean): bigint {
  const [written = 0, month = 0, day = 0] = date.split('-').map(Number)
  if (month < 1 || month > 12 || day < 1 || day > 31) throw notA('date', date)
  const year = (isBc ? 1 - written : written) - (month <= 2 ? 1 : 0)
  const era = Math.floor(year / 400)
  const ofEra = year - era * 400
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const days = ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear
  return BigInt(era * 146_097 + days - 719_468) - EPOCH_DAYS
}

function clockText(micros: bigint): string {
  if (micros < 0n || micros > DAY) throw new RangeError('a time of day is longer than a day')
  const seconds = Number(micros / 1_000_000n)
  const fraction = String(micros % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return fraction === '' ? clock : `${clock}.${fraction}`
}

function clockMicros(text: string): bigint {
  const [, hours, minutes, seconds, fraction = ''] =
    /^(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?$/.exec(text) ?? []
  if (hours === undefined) throw notA('time of day', text)
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
}

/** `+02`, `-03:30`, as far as it is not nought. */
function offsetText(seconds: number): string {
  const size = Math.abs(seconds)
  const parts = [Math.floor(size / 3600), Math.floor(size / 60) % 60, size % 60]
  while (parts.length > 1 && parts.at(-1) === 0) parts.pop()
  return (seconds < 0 ? '-' : '+') + parts.map(two).join(':')
}

function offsetMicros(text: string): bigint {
  const [hours = 0, minutes = 0, seconds = 0] = text.slice(1).split(':').map(Number)
  const total = BigInt((hours * 60 + minutes) * 60 + seconds) * 1_000_000n
  return text.startsWith('-') ? -total : total
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
