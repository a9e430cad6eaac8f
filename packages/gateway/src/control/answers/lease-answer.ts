import type { Lease } from '@sallyport/api'
import type { LeaseRow } from '../../credentials/ports.ts'
import { principalName } from './principal-answer.ts'

export function leaseAnswer(row: LeaseRow): Lease {
  return {
    id: row.id,
    target: row.target,
    handle: row.handle,
    capability: row.capability,
    state: row.state,
    ...(row.sessionId === undefined ? {} : { session: row.sessionId }),
    ...(row.principal === undefined ? {} : { principal: principalName(row.principal) }),
    plannedAt: row.plannedAt.toISOString(),
    ...(row.issuedAt === undefined ? {} : { issuedAt: row.issuedAt.toISOString() }),
    expiresAt: row.expiresAt.toISOString(),
    ...(row.revokedAt === undefined ? {} : { revokedAt: row.revokedAt.toISOString() }),
    attempts: row.attempts,
    ...(row.lastError === undefined ? {} : { lastError: row.lastError }),
  }
}
