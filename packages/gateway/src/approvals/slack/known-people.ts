import { LRUCache } from 'lru-cache'
import type { Principal } from '../../access/model.ts'
import type { ApprovalLog, PeopleStore } from '../ports.ts'

/** A person's rows are written this often at most, unless something about them has changed. */
const WRITE_EVERY_MS = 5 * 60 * 1000

/** Remembers people by the tokens that they show. */
export class KnownPeople {
  readonly #store: PeopleStore
  readonly #log: ApprovalLog
  readonly #now: () => number
  readonly #written = new LRUCache<string, number>({ max: 10_000 })

  constructor(options: {
    readonly store: PeopleStore
    readonly log: ApprovalLog
    readonly now: () => number
  }) {
    this.#store = options.store
    this.#log = options.log
    this.#now = options.now
  }

  /** A token of this principal has just been verified. Only people who speak for themselves are remembered. */
  see(principal: Principal): void {
    if (principal.kind !== 'user' || principal.actingFor !== undefined) return
    const now = this.#now()
    const key = JSON.stringify([principal.issuer, principal.subject, principal.groups, principal.attributes])
    if (now - (this.#written.get(key) ?? 0) < WRITE_EVERY_MS) return
    this.#written.set(key, now)
    this.#store.saw(principal, new Date(now)).catch((error: unknown) => {
      this.#written.delete(key)
      this.#log.warn({ err: error }, 'a login was not remembered; it does not count in Slack')
    })
  }
}
