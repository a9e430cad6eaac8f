import type { ErrorCode, SallyportError } from '../../access/errors.ts'
import { encodeError } from './messages.ts'

/** SQLSTATEs by what happened ("PostgreSQL Error Codes"): clients and pools decide by them whether to try again. */
const SQLSTATES: Partial<Record<ErrorCode, string>> = {
  AUTH_REQUIRED: '28000',
  AUTH_TOKEN_INVALID: '28P01',
  AUTH_TOKEN_EXPIRED: '28P01',
  AUTH_TICKET_INVALID: '28P01',
  AUTH_PLAINTEXT_REFUSED: '28000',
  AUTH_ISSUER_UNAVAILABLE: '08001',
  ACCESS_POLICY_DENIED: '42501',
  ACCESS_POLICY_ERROR: '42501',
  ACCESS_STATEMENT_OPAQUE: '42501',
  ACCESS_OBLIGATION_UNMET: '42501',
  APPROVAL_PENDING: '42501',
  APPROVAL_DENIED: '42501',
  APPROVAL_CHANGED: '42501',
  APPROVAL_EXPIRED: '42501',
  TARGET_UNKNOWN: '3D000',
  TARGET_UNREACHABLE: '08001',
  SESSION_ENDED: '57P01',
  LIMIT_REACHED: '53300',
  WIRE_MALFORMED: '08P01',
  WIRE_TOO_LARGE: '54000',
  WIRE_UNSUPPORTED: '0A000',
  WIRE_TIMEOUT: '08P01',
  STORE_UNAVAILABLE: '57P03',
  RECORDING_FAILED: '58030',
  MASKING_FAILED: '58000',
}

export function sqlstateOf(code: ErrorCode): string {
  return SQLSTATES[code] ?? 'XX000'
}

/** An error as PostgreSQL's own ErrorResponse. `where` is printed by psql as CONTEXT: ids for looking it up. */
export function errorResponse(error: SallyportError, severity: 'ERROR' | 'FATAL', where?: string): Buffer {
  return encodeError({
    severity,
    sqlstate: sqlstateOf(error.code),
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    where: where === undefined ? `Sallyport ${error.code}` : `Sallyport ${error.code}, ${where}`,
  })
}
