import { createHmac, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { AuthenticationFailed, SallyportError } from '../access/errors.ts'
import type { Principal } from '../access/model.ts'
import { Secret } from '../access/secret.ts'
import type { TicketRow, TicketStore } from './ports.ts'

const PREFIX = 'spt_'
/** `spt_` and 256 random bits in base64url. */
const TICKET = /^spt_[A-Za-z0-9_-]{43}$/
/** A ticket is for one piece of work: "minutes long" (design §6). Configuration can only lower this. */
const MAX_TTL_SECONDS = 24 * 60 * 60
/** Shown in every list of sessions and copied into every record. */
const MAX_PURPOSE_LENGTH = 1024
const MAX_CLIENT_SESSION_LENGTH = 256
/** A kilobyte each at the most; those that are used most often stay. */
const MAX_KNOWN = 1000

export interface TicketRequest {
  /** The name of the one target it opens. */
  readonly target: string
  readonly purpose?: string
  readonly clientSession?: string
  /** How long it, and every session on it, may last: whole seconds, from 1 to a day. */
  readonly ttlSeconds: number
}

export interface RedeemedTicket {
  readonly row: TicketRow
  /**
   * Confirms that it has not been revoked meanwhile. A session asks once it has begun to listen with `onRevoked`: a
   * revocation between `redeem` and that moment would otherwise go past it.
   * @throws AuthenticationFailed AUTH_TICKET_INVALID
   */
  readonly confirm: () => Promise<void>
}

/** True for what claims to be a ticket, valid or not. */
export function isTicket(token: string): boolean {
  return token.startsWith(PREFIX)
}

/**
 * The gateway's own short-lived secrets (design §6, Tickets). Kept only as HMAC-SHA256 under a key that is not in the
 * store, so that whoever reads or writes the store can neither use a ticket nor make one.
 */
export class Tickets {
  readonly #store: TicketStore
  readonly #key: Buffer
  readonly #now: () => number
  readonly #listeners = new Set<(ticketId: string) => void>()
  /** By keyed hash. What is read once is not asked for with every connection: only this gateway writes to its store. */
  readonly #known = new LRUCache<string, TicketRow>({ max: MAX_KNOWN })
  /** How many the store was told of. */
  #revocations = 0

  /** `key`: 32 bytes. `now`: epoch milliseconds. */
  constructor(options: { readonly store: TicketStore; readonly key: Buffer; readonly now?: () => number }) {
    if (options.key.length !== 32) {
      throw new SallyportError('CONFIG_INVALID', 'the key for tickets is not 32 bytes long', {
        hint: 'derive it from the master key',
      })
    }
    this.#store = options.store
    this.#key = options.key
    this.#now = options.now ?? Date.now
  }

  /**
   * Makes a ticket for one principal and one target. The secret is returned once and kept nowhere.
   * @throws SallyportError REQUEST_INVALID when the ttl, purpose or client session is out of bounds
   */
  async issue(
    principal: Principal,
    request: TicketRequest,
  ): Promise<{ readonly id: string; readonly ticket: Secret; readonly expiresAt: Date }> {
    check(request)
    const id = `tkt_${base32(randomBytes(10))}`
    const ticket = new Secret(`${PREFIX}${randomBytes(32).toString('base64url')}`)
    const now = this.#now()
    const expiresAt = new Date(now + request.ttlSeconds * 1000)
    await this.#store.put(
      {
        id,
        principal,
        target: request.target,
        purpose: request.purpose,
        clientSession: request.clientSession,
        createdAt: new Date(now),
        expiresAt,
      },
      this.#hash(ticket),
    )
    return { id, ticket, expiresAt }
  }

  /**
   * What a ticket stands for at the target of that name. It can be redeemed any number of times until it ends.
   * @throws AuthenticationFailed AUTH_TICKET_INVALID, with one message for every reason: whoever tries tickets that are
   *   not theirs must not learn which exist, and for what. The reason is the `cause`.
   */
  async redeem(ticket: Secret, targetName: string): Promise<RedeemedTicket> {
    if (!TICKET.test(ticket.reveal())) throw refused('malformed')
    const revocations = this.#revocations
    const row = await this.#find(this.#hash(ticket))
    const reason = this.#unusable(row) ?? (row?.target === targetName ? undefined : 'for another target')
    if (row === undefined || reason !== undefined) throw refused(reason ?? 'unknown')
    return {
      row,
      confirm: async () => {
        if (revocations === this.#revocations) return
        const revoked = this.#unusable(await this.#store.get(row.id))
        if (revoked !== undefined) throw refused(revoked)
      },
    }
  }

  /**
   * Ends a ticket, and through the listeners every live session that was opened with it.
   * @returns true when it was there and not yet revoked. The listeners are told either way.
   */
  async revoke(ticketId: string): Promise<boolean> {
    const revoked = await this.#store.revoke(ticketId, new Date(this.#now()))
    this.#revocations++
    for (const [hash, row] of this.#known.entries()) if (row.id === ticketId) this.#known.delete(hash)
    const failures: unknown[] = []
    for (const listener of this.#listeners) {
      try {
        listener(ticketId)
      } catch (error) {
        // One session that cannot be closed must not keep the others open.
        failures.push(error)
      }
    }
    if (failures.length > 0)
      throw new AggregateError(failures, 'the ticket is revoked, but a listener failed')
    return revoked
  }

  /** Calls `listener` with the id of every ticket revoked from now on, after the store has it. Returns how to stop. */
  onRevoked(listener: (ticketId: string) => void): () => void {
    // A wrapper, so that the same function registered twice is told twice and removed once.
    const entry = (ticketId: string): void => listener(ticketId)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  async #find(hash: Buffer): Promise<TicketRow | undefined> {
    const key = hash.toString('latin1')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const before = this.#revocations
    const row = await this.#store.find(hash)
    // It may have been read just before it was revoked.
    if (row !== undefined && this.#revocations === before) this.#known.set(key, row)
    return row
  }

  #hash(ticket: Secret): Buffer {
    return createHmac('sha256', this.#key).update(ticket.reveal()).digest()
  }

  #unusable(row: TicketRow | undefined): string | undefined {
    if (row === undefined) return 'unknown'
    if (row.revokedAt !== undefined) return `revoked at ${row.revokedAt.toISOString()}`
    if (row.expiresAt.getTime() <= this.#now()) return `expired at ${row.expiresAt.toISOString()}`
    return undefined
  }
}

function check(request: TicketRequest): void {
  const { ttlSeconds } = request
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > MAX_TTL_SECONDS) {
    throw outOfBounds(
      `ttl is not between one second and ${MAX_TTL_SECONDS}, in whole seconds`,
      'ask for some minutes',
    )
  }
  if ((request.purpose?.length ?? 0) > MAX_PURPOSE_LENGTH) {
    throw outOfBounds(
      `purpose is longer than ${MAX_PURPOSE_LENGTH} characters`,
      'say it in a sentence or two',
    )
  }
  if ((request.clientSession?.length ?? 0) > MAX_CLIENT_SESSION_LENGTH) {
    throw outOfBounds(
      `session is longer than ${MAX_CLIENT_SESSION_LENGTH} characters`,
      "send the session's id only",
    )
  }
}

function outOfBounds(message: string, hint: string): SallyportError {
  return new SallyportError('REQUEST_INVALID', `no ticket can be issued: ${message}`, { hint })
}

function refused(reason: string): AuthenticationFailed {
  return new AuthenticationFailed('AUTH_TICKET_INVALID', 'the ticket is not valid for this target', {
    hint: 'ask for a new ticket for this target: POST /api/v1/tickets',
    cause: new Error(`ticket ${reason}`),
  })
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** RFC 4648 §6 in lower case; for lengths that are a multiple of five bytes, which need no padding. */
function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32.charAt(Number.parseInt(five, 2))).join('')
}
