import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Principal } from '../access/model.ts'

/** Tokens in use at once: enough for every agent of a large installation, a few megabytes at most. */
const MAX_TOKENS = 5_000
/** A signing key withdrawn by the provider must not live on here for as long as its tokens do. */
const MAX_AGE_MS = 5 * 60_000

/**
 * Who was proved by tokens seen lately, so that opening a session does not check a signature each time. Keyed by the
 * token's SHA-256: the whole token, signature included, or nothing, and no token is kept in memory.
 */
export class VerifiedTokens {
  readonly #entries = new LRUCache<string, { readonly principal: Principal; readonly until: number }>({
    max: MAX_TOKENS,
  })

  /** `now` is epoch milliseconds. */
  get(token: string, now: number): Principal | undefined {
    const key = digest(token)
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (now < entry.until) return entry.principal
    this.#entries.delete(key)
    return undefined
  }

  /** Remembers who a token proved, until `expiresAt` (epoch milliseconds) or a few minutes from `now`. */
  set(token: string, principal: Principal, expiresAt: number, now: number): void {
    this.#entries.set(digest(token), { principal, until: Math.min(expiresAt, now + MAX_AGE_MS) })
  }
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
