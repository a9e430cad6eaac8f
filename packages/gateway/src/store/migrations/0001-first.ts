import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** The first form of every table. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await statement.execute(db)
}

const STATEMENTS = [
  sql`CREATE TABLE sallyport.installation (
    key text PRIMARY KEY,
    value text NOT NULL
  )`,
  sql`CREATE TABLE sallyport.leases (
    id text PRIMARY KEY,
    target text NOT NULL,
    handle text NOT NULL,
    capability text NOT NULL,
    state text NOT NULL CHECK (state IN ('planned', 'issued', 'revoking', 'revoked')),
    session_id text,
    principal json,
    planned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    issued_at timestamptz,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    last_error text
  )`,
  // The sweeper asks for these every few seconds; revoked leases, nearly all there are, must not slow it.
  sql`CREATE INDEX leases_open ON sallyport.leases (planned_at) WHERE state <> 'revoked'`,
  sql`CREATE INDEX leases_newest ON sallyport.leases (planned_at DESC)`,
  sql`CREATE TABLE sallyport.tickets (
    id text PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    principal json NOT NULL,
    target text NOT NULL,
    purpose text,
    client_session text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
  )`,
  sql`CREATE INDEX tickets_expiry ON sallyport.tickets (expires_at)`,
  sql`CREATE TABLE sallyport.sessions (
    id text PRIMARY KEY,
    principal json NOT NULL,
    principal_id text NOT NULL,
    target text NOT NULL,
    via text NOT NULL,
    purpose text,
    client_name text,
    client_session text,
    tool_use_id text,
    source_ip text NOT NULL,
    lease_id text,
    handle text,
    started_at timestamptz NOT NULL,
    last_event_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    statements bigint NOT NULL DEFAULT 0,
    denied bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0
  )`,
  sql`CREATE INDEX sessions_newest ON sallyport.sessions (started_at DESC)`,
  sql`CREATE INDEX sessions_of_principal ON sallyport.sessions (principal_id, started_at DESC)`,
  sql`CREATE INDEX sessions_live ON sallyport.sessions (started_at) WHERE ended_at IS NULL`,
  // One row holds what one session did between two visits of the ingest: events first_n to last_n, a line each.
  sql`CREATE TABLE sallyport.session_events (
    session_id text NOT NULL,
    first_n integer NOT NULL,
    last_n integer NOT NULL,
    lines bytea NOT NULL,
    PRIMARY KEY (session_id, first_n)
  )`,
  // They come compressed.
  sql`ALTER TABLE sallyport.session_events ALTER COLUMN lines SET STORAGE EXTERNAL`,
  sql`CREATE TABLE sallyport.audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    type text NOT NULL,
    principal text,
    event json NOT NULL
  )`,
  sql`CREATE INDEX audit_events_of_type ON sallyport.audit_events (type, id DESC)`,
  sql`CREATE INDEX audit_events_of_principal ON sallyport.audit_events (principal, id DESC)`,
  sql`CREATE TABLE sallyport.resource_sets (
    version integer PRIMARY KEY,
    applied_by text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
  )`,
  sql`CREATE TABLE sallyport.resource_files (
    version integer NOT NULL REFERENCES sallyport.resource_sets ON DELETE CASCADE,
    path text NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (version, path)
  )`,
  // How far each journal file has been taken in, written in the transaction that takes it in.
  sql`CREATE TABLE sallyport.journal_positions (
    file text PRIMARY KEY,
    position bigint NOT NULL
  )`,
]
