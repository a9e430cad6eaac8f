import { type Capability, capabilityOf } from '../access/capability.ts'
import { SallyportError } from '../access/errors.ts'
import { inTime } from '../access/in-time.ts'
import type { Principal } from '../access/model.ts'
import type { Permit } from '../access/permit.ts'
import type { HeldLease, Lease } from './held-lease.ts'
import { HeldLeases, type LeasesOptions } from './held-leases.ts'
import type { LeaseRow, LeaseState } from './ports.ts'
import { revokeLease } from './revoke-lease.ts'
import { WarmLeases } from './warm-leases.ts'

/** Longer than any statement of an issuer may take; after it, the sweeper tries again. */
const REVOKE_MS = 15_000

export interface LeaseRequest {
  readonly permit: Permit
  readonly capability: Capability
  readonly sessionId: string
  /** Ends the wait for the lease. */
  readonly signal: AbortSignal
  /**
   * It is for one statement: what it can do is seldom asked for again, so that a credential that can do nothing is taken, made
   * ahead, and given that.
   */
  readonly forStatement?: boolean
  /** The session's own end, when it is before the credential's. */
  readonly deadline?: Date
}

/** Makes leases and takes them back. The row is in the store before the credential is on the target. */
export class Leases implements AsyncDisposable {
  readonly #options: LeasesOptions
  readonly #held: HeldLeases
  readonly #warm: WarmLeases

  constructor(options: LeasesOptions) {
    this.#options = options
    this.#held = new HeldLeases(options)
    this.#warm = new WarmLeases({
      make: (target, capability, signal) => this.#held.make(target, capability, signal),
      retire: (lease) => void this.#held.end(lease),
      log: options.log,
      now: options.now,
    })
  }

  /**
   * @throws SallyportError TARGET_UNKNOWN, TARGET_UNREACHABLE, TARGET_ISSUER_FAILED, LEASE_FAILED,
   *   STORE_UNAVAILABLE, RECORDING_FAILED; whatever had been made by then is revoked
   */
  async issue(request: LeaseRequest): Promise<Lease> {
    const { permit, capability, sessionId, signal, deadline, forStatement = false } = request
    const { target, principal } = permit
    const kept = forStatement ? capabilityOf([], [], !capability.readOnly) : capability
    const ready = this.#warm.take(target, kept)
    if (ready !== undefined) {
      this.#handOut(ready, sessionId, principal)
      try {
        if (kept.hash !== capability.hash) await inTime(this.#held.change(ready, capability, false), signal)
      } catch (error) {
        // Nobody will use it, and nobody else knows of it.
        void this.#held.end(ready)
        throw error
      }
      // What could not be changed is revoked; another one is made in its place.
      if (kept.hash === capability.hash || !ready.signal.aborted) return this.#leaseOf(ready, deadline)
    }
    return this.#leaseOf(
      await this.#held.make(target, capability, signal, { sessionId, principal, deadline }),
      deadline,
    )
  }

  /**
   * Takes a lease back now; a live session on it is told by its signal.
   * @param why for the session's user, as in `revoked by omar`
   * @throws SallyportError LEASE_UNKNOWN, TARGET_UNKNOWN, or why the target could not be made to forget it
   */
  async revoke(id: string, why = 'revoked'): Promise<void> {
    const held = this.#held.get(id)
    if (held !== undefined) {
      held.end(new SallyportError('SESSION_ENDED', `the session's temporary credential was ${why}`))
      const failure = await this.#held.end(held)
      if (failure !== undefined) throw failure
      return
    }
    const row = await this.#options.store.get(id)
    if (row === undefined) {
      throw new SallyportError('LEASE_UNKNOWN', `there is no lease ${id}`, { hint: 'sallyport leases list' })
    }
    if (row.state === 'revoked') return
    const failure = await revokeLease(
      this.#options,
      this.#held.issuer(row.target),
      row,
      AbortSignal.timeout(REVOKE_MS),
    )
    if (failure !== undefined) throw failure
  }

  /** How many were made ahead of demand, are connected, and wait for it. */
  get ready(): number {
    return this.#warm.ready
  }

  /** Newest first. */
  async list(filter: { target?: string; state?: LeaseState; limit: number }): Promise<readonly LeaseRow[]> {
    return await this.#options.store.list(filter)
  }

  /** Whether this process made it and has not finished revoking it: the sweeper leaves it alone. */
  holds(id: string): boolean {
    return this.#held.get(id) !== undefined
  }

  /** Credentials on targets that sessions use, or that are ready for one. */
  get active(): number {
    return this.#held.active
  }

  /** To be called when policies or a target's catalog have changed: what was made ahead may be too much. */
  discardWarm(target?: string): void {
    this.#warm.discard(target)
  }

  /** Revokes what was made ahead, and everything else that is still held; waits for it, but not for ever. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#warm[Symbol.asyncDispose]()
    await this.#held.stop()
  }

  /** The store learns it a moment later; if it cannot, the session ends. */
  #handOut(lease: HeldLease, sessionId: string, principal: Principal): void {
    const { store, log } = this.#options
    lease.sessionId = sessionId
    lease.principal = principal
    store.assign(lease.id, sessionId, principal).catch((error: unknown) => {
      log.error(
        { lease: lease.id, session: sessionId, error: String(error) },
        'a lease could not be assigned',
      )
      lease.end(
        new SallyportError('STORE_UNAVAILABLE', 'it could not be written down whose credential this is', {
          cause: error,
        }),
      )
      void this.#held.end(lease)
    })
  }

  #leaseOf(lease: HeldLease, deadline: Date | undefined): Lease {
    const { expiresAt } = lease.plan
    return {
      id: lease.id,
      handle: lease.handle,
      expiresAt: deadline !== undefined && deadline < expiresAt ? deadline : expiresAt,
      signal: lease.signal,
      connect: (signal) => lease.connect(signal),
      get capability() {
        return lease.privileges.capability
      },
      change: (capability, again = false) => this.#held.change(lease, capability, again),
      elevate: (extra) => this.#held.elevate(lease, extra),
      [Symbol.asyncDispose]: () => this.#held.release(lease),
    }
  }
}
