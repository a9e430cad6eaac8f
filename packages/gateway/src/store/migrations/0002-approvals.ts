import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** Requests for people's word, and what people said. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await statement.execute(db)
}

const STATEMENTS = [
  sql`CREATE TABLE sallyport.approvals (
    id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('statement', 'pattern', 'connection')),
    state text NOT NULL CHECK (state IN ('pending', 'granted', 'denied', 'expired', 'withdrawn', 'used')),
    digest text NOT NULL,
    target text NOT NULL,
    similar_to text NOT NULL,
    durable boolean NOT NULL,
    request json NOT NULL,
    preview json,
    grant_bounds json,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    granted_at timestamptz,
    closed_at timestamptz,
    closed_because text,
    uses integer NOT NULL DEFAULT 0,
    CHECK (kind <> 'statement' OR uses <= 1)
  )`,
  // The same statement asked for again while it waits is one request.
  sql`CREATE UNIQUE INDEX approvals_identical ON sallyport.approvals (digest) WHERE durable AND state = 'pending'`,
  sql`CREATE INDEX approvals_newest ON sallyport.approvals (created_at DESC)`,
  sql`CREATE INDEX approvals_open ON sallyport.approvals (created_at DESC) WHERE state IN ('pending', 'granted')`,
  sql`CREATE INDEX approvals_similar ON sallyport.approvals (target, similar_to, created_at DESC)`,
  sql`CREATE TABLE sallyport.approval_decisions (
    approval_id text NOT NULL REFERENCES sallyport.approvals ON DELETE CASCADE,
    n integer NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    at timestamptz NOT NULL,
    decision json NOT NULL,
    PRIMARY KEY (approval_id, n),
    UNIQUE (approval_id, issuer, subject)
  )`,
]
