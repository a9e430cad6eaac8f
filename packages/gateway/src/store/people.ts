import type { Principal } from '../access/model.ts'
import type { KnownPerson, PeopleStore } from '../approvals/ports.ts'
import type { Store } from './database.ts'
import { reached } from './store-error.ts'

/** People who have shown a token of their own, as the last one described them. */
export class StoredPeople implements PeopleStore {
  readonly #store: Pick<Store, 'db'>

  constructor(store: Pick<Store, 'db'>) {
    this.#store = store
  }

  async saw(principal: Principal, at: Date): Promise<void> {
    const { issuer, subject, attributes } = principal
    const told = {
      email: attributes['email']?.toLowerCase() ?? null,
      principal: JSON.stringify(principal),
      seen_at: at,
    }
    await reached(
      this.#store.db
        .insertInto('people')
        .values({ issuer, subject, ...told })
        .onConflict((conflict) => conflict.columns(['issuer', 'subject']).doUpdateSet(told))
        .execute(),
    )
  }

  async bySubject(issuer: string, subject: string): Promise<KnownPerson | undefined> {
    const row = await reached(
      this.#store.db
        .selectFrom('people')
        .select(['principal', 'seen_at'])
        .where('issuer', '=', issuer)
        .where('subject', '=', subject)
        .executeTakeFirst(),
    )
    return row && { principal: row.principal, seenAt: row.seen_at }
  }

  async byEmail(email: string): Promise<readonly KnownPerson[]> {
    const rows = await reached(
      this.#store.db
        .selectFrom('people')
        .select(['principal', 'seen_at'])
        .where('email', '=', email.toLowerCase())
        .execute(),
    )
    return rows.map((row) => ({ principal: row.principal, seenAt: row.seen_at }))
  }
}
