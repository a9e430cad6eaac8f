import type { Principal } from '../access/model.ts'
import type { TicketRow, TicketStore } from '../identity/ports.ts'
import type { Store } from './database.ts'
import { reached } from './store-error.ts'

const SELECT = `SELECT id, principal, target, purpose, client_session, created_at, expires_at, revoked_at
  FROM sallyport.tickets`

interface Row {
  id: string
  principal: Principal
  target: string
  purpose: string | null
  client_session: string | null
  created_at: Date
  expires_at: Date
  revoked_at: Date | null
}

/** Tickets in the store, found by the keyed hash of their secret, which itself is never there. */
export class StoredTickets implements TicketStore {
  readonly #store: Pick<Store, 'db' | 'quick'>

  constructor(store: Pick<Store, 'db' | 'quick'>) {
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
    return await this.#one('ticket_find', `${SELECT} WHERE hash = $1`, hash)
  }

  async get(id: string): Promise<TicketRow | undefined> {
    return await this.#one('ticket_get', `${SELECT} WHERE id = $1`, id)
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

  /** Every session waits for this: one prepared statement. */
  async #one(name: string, text: string, key: string | Buffer): Promise<TicketRow | undefined> {
    const [row] = await this.#store.quick.query<Row>(name, text, [key])
    return ticketRow(row)
  }
}

function ticketRow(row: Row | undefined): TicketRow | undefined {
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
