import type { Capability } from '../access/capability.ts'
import { SallyportError } from '../access/errors.ts'
import { inTime } from '../access/in-time.ts'
import type { Principal, Target } from '../access/model.ts'
import type { CredentialIssuer } from '../protocols/contract.ts'
import { type Connect, HeldLease, type Made, type Privilege } from './held-lease.ts'
import { newLeaseId } from './lease-id.ts'
import type { LeaseAudit, LeaseEvent, LeaseLog, LeaseMetrics, LeaseStore } from './ports.ts'
import { revokeLease } from './revoke-lease.ts'

/** A session's end does not wait longer than this for its revocation, which goes on by itself. */
const RELEASE_MS = 5_000
/** Longer than any statement of an issuer may take; after it, the sweeper tries again. */
const REVOKE_MS = 15_000
/** What a session's credential can do follows policy within a second; a target that does not answer costs the session. */
const ASSIGN_MS = 5_000
/** A stop does not wait longer for what the next start can do as well. */
const TIDY_MS = 2_000

export interface LeasesOptions {
  /** This installation's id, 8 hex characters; part of every name on a target. */
  readonly owner: string
  readonly store: LeaseStore
  /** By the target's name; undefined when it is not configured (any more). */
  readonly issuers: (target: string) => CredentialIssuer | undefined
  /**
   * Where a target was when a lease was made on it, if it is elsewhere now or not configured any more; undefined if it is
   * where it was. To be disposed of.
   */
  readonly formerIssuer: (target: Target) => CredentialIssuer | undefined
  readonly connect: Connect
  readonly audit: LeaseAudit
  readonly log: LeaseLog
  readonly metrics: LeaseMetrics
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** The leases of this process: makes them, keeps count of them, and ends them, each exactly once. */
export class HeldLeases {
  readonly #options: LeasesOptions
  readonly #held = new Map<string, HeldLease>()
  /** Targets on which leases were made. */
  readonly #targets = new Set<string>()
  #stopped = false

  constructor(options: LeasesOptions) {
    this.#options = options
  }

  get(id: string): HeldLease | undefined {
    return this.#held.get(id)
  }

  /** How many have a credential on their target. */
  get active(): number {
    return [...this.#held.values()].filter((lease) => lease.exists).length
  }

  /**
   * The audit event and the row first, then the credential. Without a session it is one made ahead of demand.
   * @throws whatever failed; what had been made by then is revoked
   */
  async make(
    target: Target,
    capability: Capability,
    signal: AbortSignal,
    forSession?: { sessionId: string; principal: Principal; deadline: Date | undefined },
  ): Promise<HeldLease> {
    const { owner, store, now, connect, metrics } = this.#options
    if (this.#stopped) throw new SallyportError('LEASE_FAILED', 'the gateway is stopping')
    const issuer = this.issuer(target.name)
    const latest = now() + target.credentials.ttlSeconds * 1000
    const expiresAt = new Date(Math.min(latest, forSession?.deadline?.getTime() ?? latest))
    const plan = issuer.plan(owner, newLeaseId(), capability, expiresAt)
    const lease = new HeldLease(target, plan, connect, now(), async (exactly, extra) => {
      // Not the issuer that made it: the account may have another password by now.
      await this.issuer(target.name).assign(plan.handle, exactly, extra, AbortSignal.timeout(ASSIGN_MS))
    })
    lease.sessionId = forSession?.sessionId
    lease.principal = forSession?.principal
    this.#held.set(lease.id, lease)
    const planned = this.#plan(lease)
    const making = planned.then(async () => {
      lease.signal.throwIfAborted()
      const began = performance.now()
      const credential = await issuer.issue(plan, signal)
      metrics.issued((performance.now() - began) / 1000)
      this.#targets.add(target.name)
      return credential
    })
    lease.making = outcome(planned, making)
    lease.dial(making, signal)
    try {
      await inTime(making, signal)
      lease.issued(store.issued(lease.id))
      signal.throwIfAborted()
      lease.signal.throwIfAborted()
    } catch (error) {
      // Not waited for: the session is refused now, and a target that is down would make it wait for that
      // twice.
      void this.end(lease)
      throw error
    }
    return lease
  }

  /** The event is appended before the row is waited for, and so is written before anything is asked of the target. */
  async #plan({ id, handle, target, plan, sessionId, principal }: HeldLease): Promise<void> {
    const { store, audit } = this.#options
    const { capability, expiresAt } = plan
    const owned = sessionId === undefined ? {} : { sessionId }
    audit({
      type: 'lease.issue',
      target: target.name,
      ...owned,
      ...(principal === undefined ? {} : { principal: principal.id }),
      detail: { lease: id, role: handle, capability: capability.hash, warm: sessionId === undefined },
    })
    await store.plan({
      id,
      target: target.name,
      handle,
      capability,
      expiresAt,
      ...owned,
      ...(principal === undefined ? {} : { principal }),
    })
  }

  /** Ends it, and waits for that as long as a session's end may. Never rejects. */
  async release(lease: HeldLease): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, RELEASE_MS)
    await Promise.race([this.end(lease), late])
    clearTimeout(timer)
  }

  /** Once per lease, whoever asks. Never rejects; a failure leaves the lease to the sweeper. */
  end(lease: HeldLease): Promise<SallyportError | undefined> {
    lease.ending ??= this.#revokeHeld(lease)
    return lease.ending
  }

  async #revokeHeld(lease: HeldLease): Promise<SallyportError | undefined> {
    try {
      // What is revoked before it is made would be made afterwards, and nobody would revoke it again.
      if ((await lease.making) === 'not planned') return undefined
      await lease.hangUp()
      const { id, handle, sessionId, principal, target } = lease
      // At the new place nobody knows the role, and it would pass for revoked.
      await using former = this.#options.formerIssuer(target)
      return await revokeLease(
        this.#options,
        former ?? this.issuer(target.name),
        { id, handle, sessionId, principal, target: target.name },
        AbortSignal.timeout(REVOKE_MS),
      )
    } catch (error) {
      return SallyportError.from(error)
    } finally {
      this.#held.delete(lease.id)
    }
  }

  /** As `Lease.change`. */
  async change(lease: HeldLease, capability: Capability, again: boolean): Promise<void> {
    if (lease.ending !== undefined) return
    const changes = capability.hash !== lease.privileges.capability.hash
    if (!changes && !again) return
    if (changes) this.#note('lease.change', lease, capability)
    try {
      await lease.privileges.change(capability, again)
    } catch (error) {
      this.#lose(lease, error)
    }
  }

  /** As `Lease.elevate`. */
  async elevate(lease: HeldLease, extra: Capability): Promise<Privilege> {
    lease.signal.throwIfAborted()
    if (lease.ending !== undefined) throw new SallyportError('LEASE_FAILED', 'the lease has ended')
    this.#tell('lease.elevate', lease, extra)
    // An object of its own: two statements may be given the same at the same time.
    const added = { ...extra }
    const takeBack = async (): Promise<void> => {
      if (lease.ending !== undefined) return
      try {
        await lease.privileges.take(added)
        this.#note('lease.restore', lease, extra)
      } catch (error) {
        this.#lose(lease, error)
      }
    }
    try {
      await lease.privileges.add(added)
    } catch (thrown) {
      const error = SallyportError.from(thrown)
      // What got no answer may still be done, after it was looked whether there is anything to take back.
      if (error.code === 'TARGET_UNREACHABLE') this.#lose(lease, error)
      else await takeBack()
      throw error
    }
    let released: Promise<void> | undefined
    return { release: () => (released ??= takeBack()) }
  }

  /** Written or not: what has become too much is taken away all the same. */
  #note(type: LeaseEvent['type'], lease: HeldLease, capability: Capability): void {
    try {
      this.#tell(type, lease, capability)
    } catch (error) {
      this.#options.log.error({ lease: lease.id, error: String(error) }, `${type} is not in the audit log`)
    }
  }

  #tell(type: LeaseEvent['type'], lease: HeldLease, capability: Capability): void {
    const { id, handle, target, sessionId, principal } = lease
    this.#options.audit({
      type,
      target: target.name,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(principal === undefined ? {} : { principal: principal.id }),
      detail: { lease: id, role: handle, capability: capability.hash },
    })
  }

  /** Nobody knows what it can do: it must not be used any more. */
  #lose(lease: HeldLease, cause: unknown): void {
    if (lease.ending !== undefined) return
    const { log } = this.#options
    log.error(
      { lease: lease.id, role: lease.handle, error: String(cause) },
      'what a lease can do could not be changed',
    )
    lease.end(
      new SallyportError(
        'SESSION_ENDED',
        "the session's privileges changed, and the target could not be told",
        {
          hint: 'open a new session',
          cause,
        },
      ),
    )
    void this.end(lease)
  }

  /** @throws SallyportError TARGET_UNKNOWN */
  issuer(target: string): CredentialIssuer {
    const issuer = this.#options.issuers(target)
    if (issuer === undefined) throw new SallyportError('TARGET_UNKNOWN', `there is no target "${target}"`)
    return issuer
  }

  /** Makes no more, ends all there are, and then removes the roles that held their grants. */
  async stop(): Promise<void> {
    this.#stopped = true
    const stopping = new SallyportError('SESSION_ENDED', 'the gateway is stopping')
    for (const lease of this.#held.values()) lease.end(stopping)
    await Promise.all([...this.#held.values()].map((lease) => this.release(lease)))
    await Promise.all([...this.#targets].map((target) => this.#tidy(target)))
  }

  /** Never rejects: what is left has no members and no log-in, and the next start looks for it. */
  async #tidy(target: string): Promise<void> {
    const { owner, issuers, log } = this.#options
    const signal = AbortSignal.timeout(TIDY_MS)
    try {
      const tidied = issuers(target)?.tidy(owner, new Set(), signal)
      if (tidied !== undefined) await inTime(tidied, signal)
    } catch (error) {
      log.warn({ target, error: String(error) }, 'roles that nobody uses are left for the next start')
    }
  }
}

/** Waits for the end of the making, however it ends. */
async function outcome(planned: Promise<void>, making: Promise<unknown>): Promise<Made> {
  await making.catch(() => undefined)
  return await planned.then(
    () => 'planned',
    () => 'not planned',
  )
}
