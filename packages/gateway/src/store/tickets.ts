import type { Selectable } from 'kysely'
import type { TicketRow, TicketStore } from '../identity/ports.ts'
import type { Store } from './database.ts'
import type { Schema } from './schema.ts'
import { reached } from './store-error.ts'

/** Tickets in the store, found by the keyed hash of their secret, which itself is never there. */
export class StoredTickets implements TicketStore {
  readonly #store: Pick<Store, 'db'>

  constructor(store: Pick<Store, 'db'>) {
    this.#store = store
  }

  async put(row: Omit<TicketRow, 'revokedAt'>, hash: Buffer): Promise<void> {
    await reached(
      this.#store.db
        .insertInto('tickets')
        .values({
          id: row.id,
          hash,
          principal: JSON.stringify(row.principal),
          target: row.target,
          purpose: row.purpose?.replaceAll('\0', '\uFFFD') ?? null,
          client_session: row.clientSession?.replaceAll('\0', '\uFFFD') ?? null,
          created_at: row.createdAt,
          expires_at: row.expiresAt,
          revoked_at: null,
        })
        .execute(),
    )
  }

  async find(hash: Buffer): Promise<TicketRow | undefined> {
    const query = this.#store.db.selectFrom('tickets').selectAll().where('hash', '=', hash)
    return ticketRow(await reached(query.executeTakeFirst()))
  }

  async get(id: string): Promise<TicketRow | undefined> {
    const query = this.#store.db.selectFrom('tickets').selectAll().where('id', '=', id)
    return ticketRow(await reached(query.executeTakeFirst()))
  }

  async revoke(id: string, at: Date): Promise<boolean> {
    const query = this.#store.db
      .updateTable('tickets')
      .set({ revoked_at: at })
      .where('id', '=', id)
      .where('revoked_at', 'is', null)
    return (await reached(query.executeTakeFirst())).numUpdatedRows > 0n
  }

  async prune(before: Date): Promise<number> {
    const query = this.#store.db
      .deleteFrom('tickets')
      .where((where) => where.or([where('expires_at', '<', before), where('revoked_at', '<', before)]))
    return Number((await reached(query.executeTakeFirst())).numDeletedRows)
  }
}

function ticketRow(row: Selectable<Schema['tickets']> | undefined): TicketRow | undefined {
  if (row === undefined) return undefined
  return {
    id: row.id,
    principal: row.principal,
    target: row.target,
    purpose: row.purpose ?? undefined,
    clientSession: row.client_session ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at ?? undefined,
  }
}
