import type { Selectable } from 'kysely'
import type { EventRow, SessionRow, SessionStore } from '../recording/ports.ts'
import type { Store } from './database.ts'
import type { JournalIngest } from './ingest.ts'
import { unpackLines } from './packed-lines.ts'
import { readEvent } from './read-event.ts'
import type { Schema } from './schema.ts'
import { reached } from './store-error.ts'

/** A row of events can be a megabyte: a few at a time. */
const EVENT_ROWS_AT_ONCE = 8

/** Recorded sessions in the store, after everything journalled so far has been taken in. */
export class StoredSessions implements SessionStore {
  readonly #store: Pick<Store, 'db'>
  readonly #ingest: Pick<JournalIngest, 'drain'>

  constructor(store: Pick<Store, 'db'>, ingest: Pick<JournalIngest, 'drain'>) {
    this.#store = store
    this.#ingest = ingest
  }

  /** Newest first; `before` is a start time, exclusive. */
  async list(filter: Parameters<SessionStore['list']>[0]): Promise<readonly SessionRow[]> {
    await this.#ingest.drain()
    let query = this.#store.db
      .selectFrom('sessions')
      .selectAll()
      .orderBy('started_at', 'desc')
      .orderBy('id', 'desc')
      .limit(filter.limit)
    if (filter.target !== undefined) query = query.where('target', '=', filter.target)
    if (filter.principal !== undefined) query = query.where('principal_id', '=', filter.principal)
    if (filter.live !== undefined) query = query.where('ended_at', filter.live ? 'is' : 'is not', null)
    if (filter.before !== undefined) query = query.where('started_at', '<', filter.before)
    return (await reached(query.execute())).map(sessionRow)
  }

  async get(id: string): Promise<SessionRow | undefined> {
    await this.#ingest.drain()
    const query = this.#store.db.selectFrom('sessions').selectAll().where('id', '=', id)
    const row = await reached(query.executeTakeFirst())
    return row === undefined ? undefined : sessionRow(row)
  }

  /** Events from number `from` on, at most `limit`, in order. */
  async events(id: string, range: { from: number; limit: number }): Promise<readonly EventRow[]> {
    await this.#ingest.drain()
    const events: EventRow[] = []
    for (let from = range.from; events.length < range.limit; ) {
      const rows = await reached(
        this.#store.db
          .selectFrom('session_events')
          .select(['last_n', 'lines'])
          .where('session_id', '=', id)
          .where('last_n', '>=', from)
          .orderBy('first_n')
          .limit(EVENT_ROWS_AT_ONCE)
          .execute(),
      )
      const last = rows.at(-1)
      if (last === undefined) break
      const lines = (await Promise.all(rows.map((row) => unpackLines(row.lines)))).flat()
      events.push(...lines.map(readEvent).filter((event) => event.n >= from))
      from = last.last_n + 1
    }
    return events.slice(0, range.limit)
  }
}

function sessionRow(row: Selectable<Schema['sessions']>): SessionRow {
  return {
    id: row.id,
    principal: row.principal,
    target: row.target,
    via: row.via,
    purpose: row.purpose ?? undefined,
    clientName: row.client_name ?? undefined,
    clientSession: row.client_session ?? undefined,
    toolUseId: row.tool_use_id ?? undefined,
    sourceIp: row.source_ip,
    leaseId: row.lease_id ?? undefined,
    handle: row.handle ?? undefined,
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
    endReason: row.end_reason ?? undefined,
    statements: row.statements,
    denied: row.denied,
    rows: row.rows,
    bytes: row.bytes,
  }
}
