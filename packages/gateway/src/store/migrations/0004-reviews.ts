import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** What was done under a policy with an alarm, and what people thought of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await statement.execute(db)
}

const STATEMENTS = [
  // No reference to sessions: an alarm for a connection may be all that there ever was of its session.
  sql`CREATE TABLE sallyport.reviews (
    id text PRIMARY KEY,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'justified', 'unjustified')),
    session_id text NOT NULL,
    target text NOT NULL,
    rule json NOT NULL,
    principal json NOT NULL,
    via text NOT NULL,
    source_ip text NOT NULL,
    purpose text,
    alarms bigint NOT NULL CHECK (alarms > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    statements json NOT NULL,
    words json NOT NULL DEFAULT '[]'
  )`,
  sql`CREATE INDEX reviews_newest ON sallyport.reviews (last_at DESC, id DESC)`,
  sql`CREATE INDEX reviews_open ON sallyport.reviews (last_at DESC) WHERE state = 'open'`,
  sql`CREATE INDEX reviews_by_session ON sallyport.reviews (session_id)`,
]
