import { SallyportError } from '../access/errors.ts'
import type { Principal, Target } from '../access/model.ts'
import type { Credential, CredentialPlan, Upstream } from '../protocols/contract.ts'

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
}

export type Connect = (target: Target, credential: Credential, signal: AbortSignal) => Promise<Upstream>

/** Whether there may be something to revoke: not without a plan in the store. */
export type Made = 'planned' | 'not planned'

/** A lease that this process has made, or is making, and has not yet revoked. */
export class HeldLease {
  readonly target: Target
  readonly plan: CredentialPlan
  readonly madeAt: number
  sessionId: string | undefined
  principal: Principal | undefined
  /** Set once revocation has begun; resolves with why it failed. */
  ending: Promise<SallyportError | undefined> | undefined
  /** Resolves when the credential is there, or will not be. */
  making: Promise<Made> | undefined
  readonly #connect: Connect
  readonly #ended = new AbortController()
  #credential: Credential | undefined
  #issued: Promise<void> | undefined
  #ready: Upstream | undefined
  #used = false

  constructor(target: Target, plan: CredentialPlan, connect: Connect, madeAt: number) {
    this.target = target
    this.plan = plan
    this.madeAt = madeAt
    this.#connect = connect
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

  /** The credential exists; `issued` settles when the store knows it. */
  issued(credential: Credential, issued: Promise<void>): void {
    this.#credential = credential
    this.#issued = issued
    // Looked at when connecting; until then a rejection must not count as unhandled.
    issued.catch(() => undefined)
  }

  /** Tells whoever uses it that it is over. */
  end(reason: SallyportError): void {
    this.#ended.abort(reason)
  }

  /** Connects ahead of demand. */
  async warm(signal: AbortSignal): Promise<void> {
    this.#ready = await this.#open(signal)
  }

  /** Whether there is a credential on the target. */
  get exists(): boolean {
    return this.#credential !== undefined
  }

  /** Connected ahead of demand, and still so. */
  get alive(): boolean {
    return this.#ready?.alive === true
  }

  /** Hangs up a connection that nobody took. */
  async hangUp(): Promise<void> {
    const upstream = this.#ready
    this.#ready = undefined
    await upstream?.[Symbol.asyncDispose]()
  }

  async connect(signal: AbortSignal): Promise<Upstream> {
    if (this.#used) throw new SallyportError('LEASE_FAILED', 'a lease serves one session, and this one has')
    this.#used = true
    signal.throwIfAborted()
    this.signal.throwIfAborted()
    const upstream = this.#ready ?? (await this.#open(signal))
    this.#ready = undefined
    return upstream
  }

  async #open(signal: AbortSignal): Promise<Upstream> {
    const credential = this.#credential
    if (credential === undefined) throw new SallyportError('LEASE_FAILED', 'the lease has no credential')
    const connecting = this.#connect(this.target, credential, AbortSignal.any([signal, this.signal]))
    try {
      await Promise.all([connecting, this.#issued])
    } catch (error) {
      void connecting.then((upstream) => upstream[Symbol.asyncDispose]()).catch(() => undefined)
      throw error
    }
    return await connecting
  }
}
