import type { Capability } from '../access/capability.ts'
import type { Principal } from '../access/model.ts'

export type LeaseState = 'planned' | 'issued' | 'revoking' | 'revoked'

export interface LeaseRow {
  readonly id: string
  readonly target: string
  readonly handle: string
  readonly capability: string
  readonly state: LeaseState
  readonly sessionId: string | undefined
  readonly principal: Principal | undefined
  readonly plannedAt: Date
  readonly issuedAt: Date | undefined
  readonly expiresAt: Date
  readonly revokedAt: Date | undefined
  /** Revocations that failed so far, and why the last one did. */
  readonly attempts: number
  readonly lastError: string | undefined
}

/** Where leases are remembered. A row is in the database's hands before any of these settles. */
export interface LeaseStore {
  plan(row: {
    id: string
    target: string
    handle: string
    capability: Capability
    expiresAt: Date
    sessionId?: string
    principal?: Principal
  }): Promise<void>
  issued(id: string): Promise<void>
  /** A lease that was made ahead of demand now belongs to a session. */
  assign(id: string, sessionId: string, principal: Principal): Promise<void>
  revoking(id: string): Promise<void>
  failed(id: string, error: string): Promise<void>
  revoked(id: string): Promise<void>
  get(id: string): Promise<LeaseRow | undefined>
  /** All that are not `revoked`, oldest first. */
  open(target?: string): Promise<readonly LeaseRow[]>
  /** Newest first. */
  list(filter: { target?: string; state?: LeaseState; limit: number }): Promise<readonly LeaseRow[]>
}

/** What happens to leases, for the audit log. `audit/ports.ts` has the same words for it. */
export interface LeaseEvent {
  readonly type:
    | 'lease.issue'
    | 'lease.change'
    | 'lease.revoke'
    | 'lease.revoke-failed'
    | 'lease.stray'
    | 'lease.elevate'
    | 'lease.restore'
  readonly principal?: string
  readonly target?: string
  readonly sessionId?: string
  readonly detail?: Readonly<Record<string, string | number | boolean>>
}

/** Throws RECORDING_FAILED when the event cannot be kept. */
export type LeaseAudit = (event: LeaseEvent) => void

/** What leases have counted. */
export interface LeaseMetrics {
  issued(seconds: number): void
  revoked(seconds: number): void
  /** Tried in vain; it will be tried again. */
  revokeFailed(): void
}

/** Where leases say what they do. A pino logger is one. */
export interface LeaseLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
