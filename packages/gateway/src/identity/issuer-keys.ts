import { createLocalJWKSet, errors } from 'jose'
import type { CompactJWSHeaderParameters, CryptoKey, FlattenedJWSInput, JSONWebKeySet } from 'jose'
import { AuthenticationFailed } from '../access/errors.ts'

/** A key that the provider has withdrawn is accepted for at most this long while the provider can be reached. */
const FRESH_MS = 10 * 60_000
/** …and this long while it cannot: an outage of the provider must not be one of everything behind the gateway. */
const STALE_MS = 12 * 60 * 60_000
/** Between two attempts for an unknown key or after a failure, so that forged key ids cannot hammer the provider. */
const COOL_DOWN_MS = 30_000
/** Without any keys nobody gets in, so trying again sooner is worth more than the provider's rest. */
const FIRST_COOL_DOWN_MS = 2_000

type KeyLookup = (header: CompactJWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>

/** One provider's signing keys: fetched when first needed, kept, and fetched again when they age or a key is unknown. */
export class IssuerKeys {
  readonly #load: () => Promise<JSONWebKeySet>
  readonly #now: () => number
  #current: { readonly lookup: KeyLookup; readonly loadedAt: number } | undefined
  #lastAttempt = Number.NEGATIVE_INFINITY
  #lastFailure: unknown
  #loading: Promise<void> | undefined

  /** `load` reads the provider's key set; `now` gives epoch milliseconds. */
  constructor(load: () => Promise<JSONWebKeySet>, now: () => number) {
    this.#load = load
    this.#now = now
  }

  /**
   * The key that a token's header asks for.
   * @throws AuthenticationFailed AUTH_ISSUER_UNAVAILABLE when it may exist but cannot be had
   * @throws a jose error when the provider has no such key
   */
  async find(header: CompactJWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (this.#age() >= FRESH_MS && !this.#coolingDown()) await this.#refresh()
    try {
      return await this.#usable()(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      if (!this.#coolingDown()) {
        await this.#refresh()
        if (this.#lastFailure === undefined) return await this.#usable()(header, token)
      }
      // The provider may well have rotated to that key; a client must not be told that its token is bad.
      if (this.#lastFailure !== undefined) throw unavailable(this.#lastFailure)
      throw error
    }
  }

  #age(): number {
    return this.#current === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#current.loadedAt
  }

  #coolingDown(): boolean {
    if (this.#loading !== undefined) return false
    const wait = this.#age() < STALE_MS ? COOL_DOWN_MS : FIRST_COOL_DOWN_MS
    const since = this.#now() - this.#lastAttempt
    // Below zero, the clock was set back: waiting for it to catch up could take hours.
    return since >= 0 && since < wait
  }

  #usable(): KeyLookup {
    if (this.#current === undefined || this.#age() >= STALE_MS) throw unavailable(this.#lastFailure)
    return this.#current.lookup
  }

  /** One attempt, shared by all who wait for it. Never rejects: a failure is remembered and the old keys are kept. */
  #refresh(): Promise<void> {
    this.#loading ??= this.#attempt().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #attempt(): Promise<void> {
    this.#lastAttempt = this.#now()
    try {
      const lookup = createLocalJWKSet(await this.#load())
      this.#current = { lookup, loadedAt: this.#now() }
      this.#lastFailure = undefined
    } catch (error) {
      this.#lastFailure = error
    }
  }
}

function unavailable(cause: unknown): AuthenticationFailed {
  return new AuthenticationFailed(
    'AUTH_ISSUER_UNAVAILABLE',
    "the token cannot be checked: the identity provider's keys cannot be had",
    {
      hint: 'try again in a minute; if it lasts, check from the gateway that the provider can be reached',
      cause,
    },
  )
}
