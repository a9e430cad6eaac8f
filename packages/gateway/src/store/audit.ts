import type { AuditRow, AuditStore } from '../audit/ports.ts'
import type { Store } from './database.ts'
import type { JournalIngest } from './ingest.ts'
import { reached } from './store-error.ts'

/** The audit log in the store, after everything journalled so far has been taken in. Newest first. */
export class StoredAudit implements AuditStore {
  readonly #store: Pick<Store, 'db'>
  readonly #ingest: Pick<JournalIngest, 'drain'>

  constructor(store: Pick<Store, 'db'>, ingest: Pick<JournalIngest, 'drain'>) {
    this.#store = store
    this.#ingest = ingest
  }

  async list(filter: Parameters<AuditStore['list']>[0]): Promise<readonly AuditRow[]> {
    await this.#ingest.drain()
    let query = this.#store.db
      .selectFrom('audit_events')
      .select(['at', 'event'])
      .orderBy('id', 'desc')
      .limit(filter.limit)
    if (filter.type !== undefined) query = query.where('type', '=', filter.type)
    if (filter.principal !== undefined) query = query.where('principal', '=', filter.principal)
    return (await reached(query.execute())).map((row) => ({ at: row.at, event: row.event }))
  }
}
