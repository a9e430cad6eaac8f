import type { Capability } from '../access/capability.ts'
import { SallyportError } from '../access/errors.ts'
import { inTime } from '../access/in-time.ts'
import type { Principal, Target } from '../access/model.ts'
import type { Credential, CredentialPlan, Upstream } from '../protocols/contract.ts'
import { type AssignPrivileges, LeasePrivileges } from './lease-privileges.ts'

/** One temporary credential, for one session. Disposing of it revokes it, and never throws. */
export interface Lease extends AsyncDisposable {
  readonly id: string
  /** The target's name for it: the PostgreSQL role. */
  readonly handle: string
  /** The session must be over then. */
  readonly expiresAt: Date
  /**
   * Aborts, with a SallyportError as the reason, when the lease was revoked under the session, which must end
   * now.
   */
  readonly signal: AbortSignal
  /**
   * Connects with the credential; can be called once. At once when the lease was made and connected ahead of
   * demand.
   */
  connect(signal: AbortSignal): Promise<Upstream>
  /** What the credential can do, as far as it is meant to, but for what it was extended by. */
  readonly capability: Capability
  /**
   * Makes the credential able to do exactly this from the session's next statement on, and what it is extended by just now.
   * When that fails, the lease is revoked and its session ended: nobody knows what it could do. Never rejects.
   * @param again also when it is what it was: grants may have gone with a table that was made anew
   */
  change(capability: Capability, again?: boolean): Promise<void>
  /**
   * Lets the credential do more for one approved statement, also while a session is on it.
   * @throws SallyportError TARGET_UNREACHABLE, TARGET_ISSUER_FAILED, LEASE_FAILED, RECORDING_FAILED; then it can do no more
   *   than before
   */
  elevate(extra: Capability): Promise<Privilege>
}

/** What a credential may do on top for as long as one statement runs. */
export interface Privilege {
  /** Takes it away again, once. Never rejects: where it cannot be taken away, the lease ends. */
  release(): Promise<void>
}

/** As `ProtocolAdapter.connect`. */
export type Connect = (
  target: Target,
  credential: Promise<Credential>,
  signal: AbortSignal,
) => Promise<Upstream>

/** Whether there may be something to revoke: not without a plan in the store. */
export type Made = 'planned' | 'not planned'

/** A lease that this process has made, or is making, and has not yet revoked. */
export class HeldLease {
  readonly target: Target
  readonly plan: CredentialPlan
  readonly madeAt: number
  readonly privileges: LeasePrivileges
  sessionId: string | undefined
  principal: Principal | undefined
  /** Set once revocation has begun; resolves with why it failed. */
  ending: Promise<SallyportError | undefined> | undefined
  /** Resolves when the credential is there, or will not be. */
  making: Promise<Made> | undefined
  readonly #connect: Connect
  readonly #ended = new AbortController()
  readonly #hungUp = new AbortController()
  #connecting: Promise<Upstream> | undefined
  /** Set when the credential exists; settles when the store knows it. */
  #issued: Promise<void> | undefined
  #ready: Upstream | undefined
  #used = false

  constructor(
    target: Target,
    plan: CredentialPlan,
    connect: Connect,
    madeAt: number,
    assign: AssignPrivileges,
  ) {
    this.target = target
    this.plan = plan
    this.madeAt = madeAt
    this.#connect = connect
    this.privileges = new LeasePrivileges(plan.capability, assign)
  }

  get id(): string {
    return this.plan.leaseId
  }

  get handle(): string {
    return this.plan.handle
  }

  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** Begins to connect, while the credential is still in the making. `signal` ends the attempt. */
  dial(credential: Promise<Credential>, signal: AbortSignal): void {
    const signals = [signal, this.signal, this.#hungUp.signal]
    this.#connecting = this.#connect(this.target, credential, AbortSignal.any(signals))
    // Looked at when the connection is wanted; until then a rejection must not count as unhandled.
    this.#connecting.catch(() => undefined)
  }

  /** The credential exists; `issued` settles when the store knows it. */
  issued(issued: Promise<void>): void {
    this.#issued = issued
    issued.catch(() => undefined)
  }

  /** Tells whoever uses it that it is over. */
  end(reason: SallyportError): void {
    this.#ended.abort(reason)
  }

  /** Waits until it is connected, ahead of demand. */
  async warm(): Promise<void> {
    this.#ready = await this.#connected()
  }

  /** Whether there is a credential on the target. */
  get exists(): boolean {
    return this.#issued !== undefined
  }

  /** Connected ahead of demand, and still so. */
  get alive(): boolean {
    return this.#ready?.alive === true
  }

  /** Hangs up a connection that nobody took, or stops trying to make it. */
  async hangUp(): Promise<void> {
    const connecting = this.#connecting
    this.#connecting = undefined
    this.#ready = undefined
    this.#hungUp.abort(new SallyportError('LEASE_FAILED', 'the lease has ended'))
    const upstream = await connecting?.catch(() => undefined)
    await upstream?.[Symbol.asyncDispose]()
  }

  async connect(signal: AbortSignal): Promise<Upstream> {
    if (this.#used) throw new SallyportError('LEASE_FAILED', 'a lease serves one session, and this one has')
    this.#used = true
    signal.throwIfAborted()
    this.signal.throwIfAborted()
    const upstream = this.#ready ?? (await inTime(this.#connected(), signal))
    // It is whoever's who asked for it: not to be hung up here any more.
    this.#connecting = undefined
    this.#ready = undefined
    return upstream
  }

  async #connected(): Promise<Upstream> {
    if (this.#connecting === undefined || this.#issued === undefined) {
      throw new SallyportError('LEASE_FAILED', 'the lease has no credential')
    }
    const [upstream] = await Promise.all([this.#connecting, this.#issued])
    return upstream
  }
}
