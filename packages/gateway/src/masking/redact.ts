import type { ValueKind } from '../access/masking.ts'

/** What stands for a text that was taken out. */
export const REDACTED = '[redacted]'

/**
 * The constant that stands for any value of a kind. It says nothing about the value, so it is also what is safe for values
 * that were computed from hidden ones. `other` kinds (enums, ranges, geometry …) have no constant that all of them accept.
 */
export function redact(value: string, kind: ValueKind): string | null {
  switch (kind) {
    case 'text':
      return REDACTED
    case 'integer':
    case 'numeric':
    case 'float':
      return '0'
    case 'boolean':
      return 'f'
    case 'date':
      return '1970-01-01'
    case 'timestamp':
      return `1970-01-01 00:00:00${zoneOf(value)}`
    case 'time':
      return `00:00:00${zoneOf(value)}`
    case 'uuid':
      return '00000000-0000-0000-0000-000000000000'
    case 'inet':
      return '0.0.0.0'
    case 'json':
      return JSON.stringify(REDACTED)
    case 'bytea':
      return '\\x'
    case 'other':
      return null
  }
}

/** The constant for all values of a kind; undefined where it hangs on the value. */
export function redactedAs(kind: ValueKind): string | null | undefined {
  return kind === 'timestamp' || kind === 'time' ? undefined : redact('', kind)
}

/** Whether there is an offset is the type's doing; which one it is may depend on the value. */
function zoneOf(value: string): string {
  return /:\d{2}(?:\.\d+)?[+-]\d{2}[\d:]*(?: BC)?$/.test(value) ? '+00' : ''
}
