import type { RaisedAlarm } from '../access/alarm.ts'

/** The gateway's own record across sessions: who proved what, what was refused, what was made and removed. */
export interface AuditEvent {
  readonly type:
    | 'authentication.failed'
    | 'access.denied'
    /** A policy with `@alarm` permitted something: somebody broke the glass, and it is to be reviewed. */
    | 'access.alarm'
    | 'session.start'
    | 'session.end'
    | 'session.kill'
    | 'ticket.issue'
    | 'ticket.revoke'
    | 'lease.issue'
    | 'lease.change'
    | 'lease.revoke'
    | 'lease.revoke-failed'
    | 'lease.stray'
    | 'lease.elevate'
    | 'lease.restore'
    | 'approval.request'
    | 'approval.decide'
    | 'approval.expire'
    | 'approval.withdraw'
    | 'approval.revoke'
    | 'approval.use'
    /** Somebody said what they think of what an alarm was raised for. */
    | 'review.close'
    | 'webhook.deliver'
    | 'webhook.fail'
    | 'resources.apply'
    | 'gateway.start'
    | 'gateway.stop'
  /** Principal id, or undefined before anybody was authenticated. */
  readonly principal?: string
  readonly target?: string
  readonly sessionId?: string
  /** Anything else worth keeping. No secrets. */
  readonly detail?: Readonly<Record<string, string | number | boolean | readonly string[]>>
  /** Of `access.alarm`: what makes an entry to be reviewed of it, once it is in the store. */
  readonly alarm?: RaisedAlarm
}

/** Appends to the audit log. Queued for this turn's journal write; throws RECORDING_FAILED when that is impossible. */
export type Audit = (event: AuditEvent) => void

export interface AuditRow {
  readonly at: Date
  readonly event: AuditEvent
}

export interface AuditStore {
  list(filter: { type?: string; principal?: string; limit: number }): Promise<readonly AuditRow[]>
}
