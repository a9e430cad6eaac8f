/** Dates and times as PostgreSQL writes them with DateStyle ISO, years 1 to 9999 of the common era. */

const DAY_MICROS = 86_400_000_000n
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const TIMESTAMP = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)([+-]\d{2}(?::\d{2}){0,2})?$/
const TIME = /^(\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)([+-]\d{2}(?::\d{2}){0,2})?$/

/** A timestamp or a time of day, and the offset that a `with time zone` is written with. */
export interface WrittenTime {
  /** Since the beginning of the year 1, or since midnight; in UTC when there is an offset. */
  readonly micros: bigint
  readonly offset: string
}

/** The first value after year 9999, in days and in microseconds. */
export const DAYS = BigInt(daysBefore(10_000, 1, 1))
export const MICROS = DAYS * DAY_MICROS
export const MICROS_OF_DAY = DAY_MICROS

/** Days since 0001-01-01, or undefined for what is no date: `infinity`, years before 1 or after 9999. */
export function readDate(text: string): number | undefined {
  const [, year, month, day] = DATE.exec(text) ?? []
  if (year === undefined) return undefined
  const days = daysBefore(Number(year), Number(month), Number(day))
  return days >= 0 && days < Number(DAYS) && writeDate(days) === text ? days : undefined
}

export function writeDate(days: number): string {
  const date = new Date(0)
  date.setUTCFullYear(1, 0, 1 + days)
  return date.toISOString().slice(0, 10)
}

export function readTimestamp(text: string): WrittenTime | undefined {
  const [, date = '', time = '', offset = ''] = TIMESTAMP.exec(text) ?? []
  const days = readDate(date)
  const clock = clockMicros(time)
  if (days === undefined || clock === undefined) return undefined
  const micros = BigInt(days) * DAY_MICROS + clock - offsetMicros(offset)
  return micros >= 0n && micros < MICROS ? { micros, offset } : undefined
}

/** With an offset that would leave the years 1 to 9999, in UTC. */
export function writeTimestamp({ micros, offset }: WrittenTime): string {
  const local = micros + offsetMicros(offset)
  const fits = local >= 0n && local < MICROS
  const shown = fits ? local : micros
  const date = writeDate(Number(shown / DAY_MICROS))
  return `${date} ${clockText(shown % DAY_MICROS)}${fits || offset === '' ? offset : '+00'}`
}

export function readTime(text: string): WrittenTime | undefined {
  const [, time = '', offset = ''] = TIME.exec(text) ?? []
  const micros = clockMicros(time)
  return micros === undefined || micros >= DAY_MICROS ? undefined : { micros, offset }
}

export function writeTime({ micros, offset }: WrittenTime): string {
  return clockText(micros) + offset
}

function daysBefore(year: number, month: number, day: number): number {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const first = new Date(0)
  first.setUTCFullYear(1, 0, 1)
  return Math.round((date.getTime() - first.getTime()) / 86_400_000)
}

function clockMicros(text: string): bigint | undefined {
  const [, hours, minutes, seconds, fraction = ''] = /^(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?$/.exec(text) ?? []
  if (hours === undefined) return undefined
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
}

function clockText(micros: bigint): string {
  const two = (n: bigint): string => n.toString().padStart(2, '0')
  const seconds = micros / 1_000_000n
  const fraction = (micros % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '')
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`
  return fraction === '' ? clock : `${clock}.${fraction}`
}

function offsetMicros(offset: string): bigint {
  const [hours = '0', minutes = '0', seconds = '0'] = offset.slice(1).split(':')
  const total = (BigInt(hours || '0') * 60n + BigInt(minutes)) * 60n + BigInt(seconds)
  return (offset.startsWith('-') ? -total : total) * 1_000_000n
}
