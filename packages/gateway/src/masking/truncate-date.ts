import type { ValueKind } from '../access/masking.ts'
import { readDate, readTimestamp } from './calendar.ts'
import { redact } from './redact.ts'

/** A date or timestamp moved back to the first day of its year or month; a text that is one, too. All else is redacted. */
export function truncateDate(value: string, kind: ValueKind, to: 'year' | 'month'): string | null {
  const first = (date: string): string =>
    `${date.slice(0, to === 'year' ? 4 : 7)}${to === 'year' ? '-01-01' : '-01'}`
  if ((kind === 'date' || kind === 'text') && readDate(value) !== undefined) return first(value)
  if (kind === 'timestamp') {
    const timestamp = readTimestamp(value)
    if (timestamp !== undefined) return `${first(value)} 00:00:00${timestamp.offset}`
  }
  return redact(value, kind)
}
