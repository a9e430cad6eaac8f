import { AuthenticationFailed } from '../access/errors.ts'
import type { Principal } from '../access/model.ts'
import type { Secret } from '../access/secret.ts'
import type { Proof } from '../protocols/contract.ts'
import { IssuerKeys } from './issuer-keys.ts'
import { loadIssuerKeys } from './load-issuer-keys.ts'
import type { TicketStore, TrustedIssuer } from './ports.ts'
import { principalFromClaims } from './principal-from-claims.ts'
import { isTicket, Tickets } from './tickets.ts'
import { trustedIssuers } from './trusted-issuers.ts'
import { VerifiedTokens } from './verified-tokens.ts'
import { claimedIssuer, CLOCK_SKEW_SECONDS, invalid, verifyToken } from './verify-token.ts'

/** Real access tokens are 1–4 KB. The bound comes before anything is parsed or hashed. */
const MAX_TOKEN_LENGTH = 8 * 1024

/** RFC 7515 §7.1. */
const JWS_COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Who asks, and until when that proof carries a session. */
export interface Authenticated {
  readonly principal: Principal
  /**
   * When sessions on this proof must end: the ticket's expiry. Undefined for a JWT, whose `exp` says how long it may be
   * shown, not how long what it opened may last. It is checked when the session opens; the lease's ttl bounds the rest.
   */
  readonly deadline: Date | undefined
  readonly ticketId?: string
  /**
   * To be called when the session has begun to listen for its ticket's revocation.
   * @throws AuthenticationFailed AUTH_TICKET_INVALID when it was revoked before that
   */
  readonly confirm?: () => Promise<void>
  readonly purpose?: string
  /** The agent framework's own session, as its client reported it when it asked for the ticket. */
  readonly clientSession?: string
}

/** Proof → principal: tokens of trusted OpenID providers, and the gateway's own tickets. */
export class Identity {
  /** Issues, redeems and revokes tickets. */
  readonly tickets: Tickets
  readonly #issuers: ReadonlyMap<string, { readonly trusted: TrustedIssuer; readonly keys: IssuerKeys }>
  readonly #verified = new VerifiedTokens()
  readonly #now: () => number

  /**
   * `ticketKey`: 32 bytes. `now`: epoch milliseconds.
   * @throws SallyportError CONFIG_INVALID when the issuers cannot be told apart or trusted
   */
  constructor(options: {
    readonly issuers: readonly TrustedIssuer[]
    readonly tickets: TicketStore
    readonly ticketKey: Buffer
    readonly fetch?: typeof fetch
    readonly now?: () => number
  }) {
    const now = options.now ?? Date.now
    const fetcher = options.fetch ?? fetch
    this.#now = now
    this.tickets = new Tickets({ store: options.tickets, key: options.ticketKey, now })
    const issuers = [...trustedIssuers(options.issuers)].map(([issuer, trusted]) => {
      const keys = new IssuerKeys(() => loadIssuerKeys(issuer, fetcher), now)
      return [issuer, { trusted, keys }] as const
    })
    this.#issuers = new Map(issuers)
  }

  /**
   * Finds out who shows this proof at the target of that name. A bearer that begins with `spt_` is a ticket, one that
   * looks like a JWS (RFC 7515) is a token of an issuer.
   * @throws AuthenticationFailed AUTH_TICKET_INVALID, AUTH_TOKEN_INVALID, AUTH_TOKEN_EXPIRED, AUTH_ISSUER_UNAVAILABLE
   */
  async authenticate(proof: Proof, targetName: string): Promise<Authenticated> {
    const token = proof.token.reveal()
    if (!isTicket(token)) return { principal: await this.#verify(token), deadline: undefined }
    const { row, confirm } = await this.tickets.redeem(proof.token, targetName)
    return {
      principal: row.principal,
      deadline: row.expiresAt,
      ticketId: row.id,
      confirm,
      ...(row.purpose === undefined ? {} : { purpose: row.purpose }),
      ...(row.clientSession === undefined ? {} : { clientSession: row.clientSession }),
    }
  }

  /**
   * Who sends this `Authorization: Bearer` (RFC 6750). Tickets are refused: they open one target, not the control API.
   * @throws AuthenticationFailed AUTH_TOKEN_INVALID, AUTH_TOKEN_EXPIRED, AUTH_ISSUER_UNAVAILABLE
   */
  async bearer(token: Secret): Promise<Principal> {
    const value = token.reveal()
    if (isTicket(value)) {
      throw new AuthenticationFailed(
        'AUTH_TOKEN_INVALID',
        'a ticket cannot be used here: it opens only its target',
        {
          hint: 'show an access token of a trusted identity provider, for instance from `sallyport login`',
        },
      )
    }
    return await this.#verify(value)
  }

  async #verify(token: string): Promise<Principal> {
    if (token.length > MAX_TOKEN_LENGTH) throw invalid(`it is longer than ${MAX_TOKEN_LENGTH} characters`)
    if (!JWS_COMPACT.test(token)) throw invalid('it is neither a ticket nor a signed JWT')
    const now = this.#now()
    const known = this.#verified.get(token, now)
    if (known !== undefined) return known

    const issuer = this.#issuers.get(claimedIssuer(token) ?? '')
    if (issuer === undefined) throw invalid('this gateway does not trust its issuer')
    const claims = await verifyToken(token, issuer.trusted, issuer.keys, now)
    const principal = principalFromClaims(claims, issuer.trusted)
    this.#verified.set(token, principal, (claims.exp + CLOCK_SKEW_SECONDS) * 1000, now)
    return principal
  }
}
