import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** People as their last tokens described them, and the messages that show requests. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await statement.execute(db)
}

const STATEMENTS = [
  sql`CREATE TABLE sallyport.people (
    issuer text NOT NULL,
    subject text NOT NULL,
    email text,
    principal json NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
  )`,
  sql`CREATE INDEX people_by_email ON sallyport.people (email)`,
  sql`CREATE TABLE sallyport.slack_messages (
    approval_id text NOT NULL REFERENCES sallyport.approvals ON DELETE CASCADE,
    channel text NOT NULL,
    ts text NOT NULL,
    shows text NOT NULL,
    PRIMARY KEY (approval_id, channel)
  )`,
]
