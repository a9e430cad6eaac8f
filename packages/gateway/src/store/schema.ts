import type { ColumnType, Generated } from 'kysely'
import type { Principal } from '../access/model.ts'
import type { Approval, ApprovalDecision, ApprovalKind, ApprovalState, Review } from '../approvals/ports.ts'
import type { AuditEvent } from '../audit/ports.ts'
import type { LeaseState } from '../credentials/ports.ts'
import type { SessionRow } from '../recording/ports.ts'

/** Everything lives in this PostgreSQL schema, so that the store can share a database with other things. */
export const SCHEMA = 'sallyport'

/** Written as JSON text, read as the value. `json`, not `jsonb`: that one cannot hold `\u0000`, and claims may. */
type Json<T> = ColumnType<T, string, string>

/** The part of a request that never changes. */
export type KeptRequest = Pick<
  Approval,
  | 'database'
  | 'principal'
  | 'policyVersion'
  | 'statement'
  | 'need'
  | 'sessionId'
  | 'via'
  | 'sourceIp'
  | 'reported'
>

/** The tables, as the last migration leaves them. `int8` is read as a number. */
export interface Schema {
  installation: { key: string; value: string }
  leases: {
    id: string
    target: string
    handle: string
    capability: string
    state: LeaseState
    session_id: string | null
    principal: Json<Principal> | null
    planned_at: Generated<Date>
    issued_at: Date | null
    expires_at: Date
    revoked_at: Date | null
    attempts: Generated<number>
    last_error: string | null
  }
  tickets: {
    id: string
    hash: Buffer
    principal: Json<Principal>
    target: string
    purpose: string | null
    client_session: string | null
    created_at: Date
    expires_at: Date
    revoked_at: Date | null
  }
  sessions: {
    id: string
    principal: Json<Principal>
    principal_id: string
    target: string
    via: SessionRow['via']
    purpose: string | null
    client_name: string | null
    client_session: string | null
    tool_use_id: string | null
    source_ip: string
    lease_id: string | null
    handle: string | null
    started_at: Date
    last_event_at: Date
    ended_at: Date | null
    end_reason: string | null
    statements: Generated<number>
    denied: Generated<number>
    rows: Generated<number>
    bytes: Generated<number>
  }
  session_events: { session_id: string; first_n: number; last_n: number; lines: Buffer }
  audit_events: {
    id: Generated<number>
    at: Date
    type: string
    principal: string | null
    event: Json<AuditEvent>
  }
  resource_sets: { version: number; applied_by: string; applied_at: Generated<Date> }
  resource_files: { version: number; path: string; text: string }
  approvals: {
    id: string
    kind: ApprovalKind
    state: ApprovalState
    digest: string
    target: string
    similar_to: string
    durable: boolean
    /** What was asked, and never changes. */
    request: Json<KeptRequest>
    preview: ColumnType<unknown, string | null, string | null>
    grant_bounds: Json<Approval['grant']> | null
    created_at: Date
    expires_at: Date
    granted_at: Date | null
    closed_at: Date | null
    closed_because: string | null
    uses: number
  }
  approval_decisions: {
    approval_id: string
    n: number
    issuer: string
    subject: string
    at: Date
    decision: Json<Omit<ApprovalDecision, 'at'>>
  }
  people: {
    issuer: string
    subject: string
    email: string | null
    principal: Json<Principal>
    seen_at: Date
  }
  slack_messages: { approval_id: string; channel: string; ts: string; shows: string }
  reviews: {
    id: string
    state: Generated<Review['state']>
    session_id: string
    target: string
    rule: Json<Review['rule']>
    principal: Json<Principal>
    via: Review['via']
    source_ip: string
    purpose: string | null
    alarms: number
    first_at: Date
    last_at: Date
    statements: Json<Review['statements']>
    words: ColumnType<Review['words'], string | undefined, string>
    /** What messages about it show. */
    shown_state: Review['state'] | null
    shown_alarms: number | null
  }
  alarm_messages: { review_id: string; channel: string; ts: string }
  journal_positions: { file: string; position: number }
}
