import { sql } from 'kysely'
import type { AlarmMessage, AlarmMessageStore, Review } from '../approvals/ports.ts'
import type { Store } from './database.ts'
import type { JournalIngest } from './ingest.ts'
import { reviewOf } from './reviews.ts'
import { reached } from './store-error.ts'

/** Shown in one go, the newest first; the rest follows with the next alarm. */
const AT_ONCE = 200

/** Which message in Slack shows which review, and what of it. */
export class StoredAlarmMessages implements AlarmMessageStore {
  readonly #store: Pick<Store, 'db'>
  readonly #ingest: Pick<JournalIngest, 'drain'>

  constructor(store: Pick<Store, 'db'>, ingest: Pick<JournalIngest, 'drain'>) {
    this.#store = store
    this.#ingest = ingest
  }

  async behind(): ReturnType<AlarmMessageStore['behind']> {
    await this.#ingest.drain()
    const { db } = this.#store
    const rows = await reached(
      db
        .selectFrom('reviews')
        .selectAll()
        .where(sql<boolean>`shown_state IS DISTINCT FROM state OR shown_alarms IS DISTINCT FROM alarms`)
        .orderBy('last_at', 'desc')
        .limit(AT_ONCE)
        .execute(),
    )
    if (rows.length === 0) return []
    const messages = await reached(
      db
        .selectFrom('alarm_messages')
        .selectAll()
        .where('review_id', '=', sql<string>`ANY (${rows.map((row) => row.id)})`)
        .execute(),
    )
    const byId = Map.groupBy(messages, (message) => message.review_id)
    return rows.map((row) => ({
      review: reviewOf(row),
      posted: (byId.get(row.id) ?? []).map(({ channel, ts }) => ({ channel, ts })),
    }))
  }

  async shows({ id }: Review, { channel, ts }: AlarmMessage): Promise<void> {
    await reached(
      this.#store.db
        .insertInto('alarm_messages')
        .values({ review_id: id, channel, ts })
        .onConflict((conflict) => conflict.columns(['review_id', 'channel']).doUpdateSet({ ts }))
        .execute(),
    )
  }

  async isShown({ id, state, alarms }: Review): Promise<void> {
    await reached(
      this.#store.db
        .updateTable('reviews')
        .set({ shown_state: state, shown_alarms: alarms })
        .where('id', '=', id)
        .execute(),
    )
  }
}
