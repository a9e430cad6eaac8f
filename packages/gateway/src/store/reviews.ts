import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Review, ReviewFilter, ReviewStore } from '../approvals/ports.ts'
import type { Store } from './database.ts'
import type { JournalIngest } from './ingest.ts'
import type { Schema } from './schema.ts'
import { reached } from './store-error.ts'

/** Reviews in the store, after every alarm that was journalled so far has been taken in. */
export class StoredReviews implements ReviewStore {
  readonly #store: Pick<Store, 'db'>
  readonly #ingest: Pick<JournalIngest, 'drain'>

  constructor(store: Pick<Store, 'db'>, ingest: Pick<JournalIngest, 'drain'>) {
    this.#store = store
    this.#ingest = ingest
  }

  async get(id: string): Promise<Review | undefined> {
    await this.#ingest.drain()
    const query = this.#store.db.selectFrom('reviews').selectAll().where('id', '=', id)
    const row = await reached(query.executeTakeFirst())
    return row && reviewOf(row)
  }

  async list(filter: ReviewFilter): Promise<readonly Review[]> {
    await this.#ingest.drain()
    let query = this.#store.db
      .selectFrom('reviews')
      .selectAll()
      .orderBy('last_at', 'desc')
      .orderBy('id', 'desc')
      .limit(filter.limit)
    if (filter.states !== undefined) query = query.where('state', 'in', filter.states)
    if (filter.target !== undefined) query = query.where('target', '=', filter.target)
    if (filter.sessionId !== undefined) query = query.where('session_id', '=', filter.sessionId)
    if (filter.before !== undefined) query = query.where('last_at', '<', filter.before)
    const { below } = filter
    if (below !== undefined) query = query.where(sql<boolean>`(last_at, id) < (${below.lastAt}, ${below.id})`)
    return (await reached(query.execute())).map(reviewOf)
  }

  async change(id: string, step: (review: Review) => Review): Promise<Review | undefined> {
    await this.#ingest.drain()
    return await reached(
      this.#store.db.transaction().execute(async (db) => {
        const row = await db
          .selectFrom('reviews')
          .selectAll()
          .where('id', '=', id)
          .forUpdate()
          .executeTakeFirst()
        if (row === undefined) return undefined
        const next = step(reviewOf(row))
        await db
          .updateTable('reviews')
          .set({ state: next.state, words: JSON.stringify(next.words) })
          .where('id', '=', id)
          .execute()
        return next
      }),
    )
  }

  async open(): Promise<number> {
    const query = this.#store.db
      .selectFrom('reviews')
      .select((eb) => eb.fn.countAll<number>().as('open'))
      .where('state', '=', sql<'open'>`'open'`)
    return (await reached(query.executeTakeFirstOrThrow())).open
  }
}

/** The review in a row. */
export function reviewOf(row: Selectable<Schema['reviews']>): Review {
  return {
    id: row.id,
    state: row.state,
    sessionId: row.session_id,
    target: row.target,
    rule: row.rule,
    principal: row.principal,
    via: row.via,
    sourceIp: row.source_ip,
    purpose: row.purpose ?? undefined,
    alarms: row.alarms,
    firstAt: row.first_at,
    lastAt: row.last_at,
    statements: row.statements,
    words: row.words,
  }
}
