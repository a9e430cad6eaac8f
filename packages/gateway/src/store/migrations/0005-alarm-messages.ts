import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** The messages that show reviews, and what of each review they show. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await statement.execute(db)
}

const STATEMENTS = [
  // What was made before there were such messages is not posted now.
  sql`ALTER TABLE sallyport.reviews ADD COLUMN shown_state text, ADD COLUMN shown_alarms bigint`,
  sql`UPDATE sallyport.reviews SET shown_state = state, shown_alarms = alarms`,
  sql`CREATE INDEX reviews_not_shown ON sallyport.reviews (last_at)
    WHERE shown_state IS DISTINCT FROM state OR shown_alarms IS DISTINCT FROM alarms`,
  sql`CREATE TABLE sallyport.alarm_messages (
    review_id text NOT NULL REFERENCES sallyport.reviews ON DELETE CASCADE,
    channel text NOT NULL,
    ts text NOT NULL,
    PRIMARY KEY (review_id, channel)
  )`,
]
