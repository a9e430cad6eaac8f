import type { GrantedApproval } from '../access/approval.ts'
import { SallyportError } from '../access/errors.ts'
import type { Principal } from '../access/model.ts'
import { newApprovalId } from './approval-id.ts'
import { covers } from './covers.ts'
import { Deadlines } from './deadlines.ts'
import { approvalDigest } from './digest.ts'
import { type ApprovalEventType, ApprovalFeed } from './feed.ts'
import type { GrantWish } from './grant-bounds.ts'
import { keepStatement } from './keep-statement.ts'
import { entitling, isRequester, personOf, whyNot } from './may-decide.ts'
import type {
  Approval,
  ApprovalAsked,
  ApprovalAudit,
  ApprovalBinding,
  ApprovalFilter,
  ApprovalLog,
  ApprovalMetrics,
  ApprovalStore,
  SimilarRequests,
  Surface,
} from './ports.ts'
import { decided, expired, isOpen, usableSeconds, used, withdrawn } from './transitions.ts'

/** A request that waits, or has its answer already. */
export interface WaitingApproval {
  readonly id: string
  /** People have said yes already. */
  readonly isGranted: boolean
  readonly expiresAt: Date
  /** It was made just now; otherwise it is one of before. */
  readonly isNew: boolean
  /** Granted, or how it ended otherwise. Never rejects. */
  readonly outcome: Promise<Approval>
  /**
   * Whoever asked does not wait any more. A request that outlives its session goes on waiting; any other is withdrawn, and
   * no decision counts then.
   */
  leave(because: string): void
}

/** How many may wait at once, so that nobody can fill the store or bury one request under others. */
export interface ApprovalLimits {
  readonly waiting: number
  readonly waitingPerPrincipal: number
}

/** Similar requests are counted over this time. */
const SIMILAR_DAYS = 30
const DAY_MS = 24 * 60 * 60 * 1000
/** A preview is a page for people; anything longer is not shown. */
const MAX_PREVIEW = 256 * 1024

/**
 * Requests for people's word: made, decided, used once, expired. The store has the truth, under a lock on each row; what
 * is kept here are the timers and who waits.
 */
export class Approvals implements Disposable {
  readonly feed: ApprovalFeed
  readonly #options: {
    readonly store: ApprovalStore
    readonly audit: ApprovalAudit
    readonly log: ApprovalLog
    readonly metrics: ApprovalMetrics
    readonly limits: ApprovalLimits
    readonly now: () => number
  }
  readonly #deadlines: Deadlines
  /** Pending requests, by who asks. */
  readonly #pending = new Map<string, string>()
  /** Standing grants: few, and asked for on every statement that needs approval. */
  readonly #grants = new Map<string, Approval>()
  readonly #waiters = new Map<string, Set<(approval: Approval) => void>>()

  constructor(options: {
    readonly store: ApprovalStore
    readonly audit: ApprovalAudit
    readonly log: ApprovalLog
    readonly metrics: ApprovalMetrics
    readonly limits: ApprovalLimits
    /** Epoch milliseconds. */
    readonly now: () => number
  }) {
    this.#options = options
    this.feed = new ApprovalFeed((error) =>
      options.log.error({ err: error }, 'an approval was not passed on'),
    )
    this.#deadlines = new Deadlines((id) => void this.#expire(id))
  }

  /** How many wait now. */
  get waiting(): number {
    return this.#pending.size
  }

  /**
   * Takes up what an earlier run left: requests whose session ended with it are withdrawn, the others go on.
   * @throws SallyportError STORE_UNAVAILABLE
   */
  async start(): Promise<void> {
    for (const approval of await this.#options.store.open()) {
      if (approval.durable || approval.kind !== 'statement') this.#track(approval)
      else await this.#withdraw(approval.id, 'the gateway was restarted, and its session ended with it')
    }
  }

  /**
   * Asks people, unless their answer is there already: a grant that covers it, or the same request of before. It is stored
   * before this returns.
   * @throws SallyportError LIMIT_REACHED, REQUEST_INVALID, STORE_UNAVAILABLE: then nothing may run
   */
  async request(asked: ApprovalAsked): Promise<WaitingApproval> {
    const standing = await this.#covering(asked)
    if (standing !== undefined) return answered(standing)
    const now = this.#now()
    const fresh = this.#fresh(asked, now)
    this.#assertRoom(asked.principal)
    // Counted before it is stored: a thousand that come at once are each other's neighbours.
    this.#pending.set(fresh.id, asked.principal.id)
    let approval: Approval
    try {
      this.#audited('approval.request', fresh, asked.principal.id, {
        kind: fresh.kind,
        digest: fresh.digest,
        policies: fresh.need.policies,
      })
      approval = await this.#options.store.put(fresh)
    } catch (error) {
      this.#pending.delete(fresh.id)
      throw error
    }
    const isNew = approval.id === fresh.id
    if (isNew) {
      this.#options.metrics.requested()
      this.#track(approval)
    } else {
      // The log has the id that was asked with: it says where that went.
      this.#audited('approval.request', approval, asked.principal.id, { joins: fresh.id })
      this.#pending.delete(fresh.id)
      if (approval.state === 'granted') return answered(approval)
    }
    const waiting = this.#wait(approval, isNew)
    if (isNew) this.#tell('requested', approval)
    return waiting
  }

  /**
   * A person's word.
   * @param surface where it was given
   * @throws SallyportError APPROVAL_UNKNOWN, APPROVAL_NOT_YOURS, APPROVAL_DECIDED, REQUEST_INVALID, STORE_UNAVAILABLE
   */
  async decide(
    id: string,
    by: Principal,
    word: {
      readonly verdict: 'approve' | 'deny'
      readonly reason: string
      readonly surface: Surface
      readonly grant?: GrantWish
    },
  ): Promise<Approval> {
    const reason = word.reason.trim()
    if (reason === '') {
      throw new SallyportError('REQUEST_INVALID', 'a decision needs a reason', {
        hint: 'say why, in a sentence',
      })
    }
    const next = await this.#options.store.change(id, (approval) => {
      const why = whyNot(approval, by)
      if (why !== undefined) {
        this.#audited('access.denied', approval, by.id, {
          action: `${word.verdict} an approval`,
          reason: why,
          surface: word.surface,
        })
        throw notYours(approval, why)
      }
      const grant = word.verdict === 'approve' ? word.grant : undefined
      if (grant?.kind === 'pattern' && approval.statement === undefined) {
        throw new SallyportError('REQUEST_INVALID', 'a connection has no statement to make a pattern of')
      }
      const decision = {
        person: personOf(by),
        groups: entitling(approval.need, by),
        verdict: word.verdict,
        reason,
        surface: word.surface,
        // Read under the lock: a deadline that came while it was waited for has come.
        at: this.#now(),
        ...(grant === undefined ? {} : { grant }),
      }
      const changed = decided(approval, decision)
      this.#audited('approval.decide', changed, by.id, {
        verdict: word.verdict,
        reason,
        surface: word.surface,
        state: changed.state,
        kind: changed.kind,
        digest: changed.digest,
        issuer: by.issuer,
        subject: by.subject,
        groups: decision.groups,
      })
      return changed
    })
    if (next === undefined) throw unknown(id)
    this.#moved(next, next.state === 'pending' ? 'progress' : next.state)
    return next
  }

  /**
   * Uses the approval, at the last moment before what it is for runs: it must be granted, in time, and for exactly this.
   * @param policies that ask now, by `@id`
   * @throws SallyportError APPROVAL_CHANGED when it is for something else; APPROVAL_PENDING, APPROVAL_DENIED,
   *   APPROVAL_EXPIRED, APPROVAL_DECIDED, APPROVAL_UNKNOWN, STORE_UNAVAILABLE: nothing may run then
   */
  async redeem(id: string, binding: ApprovalBinding, policies: readonly string[]): Promise<GrantedApproval> {
    const next = await this.#options.store.change(id, (approval) => {
      if (!covers(approval, binding, policies)) {
        throw new SallyportError('APPROVAL_CHANGED', `${id} was given for something else`, {
          hint: 'the statement, its parameters, the search path, the policies or what a name stands for differ now; ask again',
        })
      }
      const changed = used(approval, this.#now())
      this.#audited('approval.use', changed, binding.principal.id, {
        uses: changed.uses,
        digest: changed.digest,
      })
      return changed
    })
    if (next === undefined) throw unknown(id)
    this.#moved(next, 'used')
    const people = next.decisions.filter(({ verdict }) => verdict === 'approve')
    return {
      id,
      approvedBy: [...new Set(people.map(({ person }) => person.id))],
      groups: [...new Set(people.flatMap(({ groups }) => groups))].toSorted(),
      grantedAt: next.grantedAt?.getTime() ?? 0,
    }
  }

  /**
   * Takes back a request of one's own, or a grant that one could have given.
   * @throws SallyportError APPROVAL_UNKNOWN, APPROVAL_NOT_YOURS, APPROVAL_DECIDED, STORE_UNAVAILABLE
   */
  async revoke(id: string, by: Principal, reason: string): Promise<Approval> {
    const next = await this.#options.store.change(id, (approval) => {
      const why = whyNot(approval, by)
      if (why !== undefined && !isRequester(approval.principal, by)) throw notYours(approval, why)
      const changed = withdrawn(approval, `${by.id} revoked it: ${reason}`, this.#now())
      if (changed === approval) {
        throw new SallyportError('APPROVAL_DECIDED', `${id} is ${approval.state} already`)
      }
      this.#audited('approval.revoke', changed, by.id, { reason, state: changed.state })
      return changed
    })
    if (next === undefined) throw unknown(id)
    this.#moved(next, next.state === 'expired' ? 'expired' : 'withdrawn')
    return next
  }

  /** What is known by now of the statement's effect. Too late, it is forgotten. */
  async preview(id: string, preview: unknown): Promise<void> {
    if ((JSON.stringify(preview)?.length ?? 0) > MAX_PREVIEW) return
    const next = await this.#options.store.change(id, (approval) =>
      isOpen(approval) ? { ...approval, preview } : approval,
    )
    if (next !== undefined && isOpen(next)) this.#tell('previewed', next)
  }

  get(id: string): Promise<Approval | undefined> {
    return this.#options.store.get(id)
  }

  /**
   * A request as it is once it waits no more, or as it is when the signal aborts; undefined when there is none.
   * @throws SallyportError STORE_UNAVAILABLE
   */
  async settled(id: string, signal: AbortSignal): Promise<Approval | undefined> {
    const { promise, resolve } = Promise.withResolvers<Approval | undefined>()
    const waiters = this.#waiters.get(id) ?? new Set()
    this.#waiters.set(id, waiters.add(resolve))
    const stop = (): void => resolve(undefined)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      const now = await this.get(id)
      if (now?.state !== 'pending') return now
      return (await promise) ?? (await this.get(id))
    } finally {
      signal.removeEventListener('abort', stop)
      waiters.delete(resolve)
      if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id)
    }
  }

  list(filter: ApprovalFilter): Promise<readonly Approval[]> {
    return this.#options.store.list(filter)
  }

  /** How earlier requests of the same shape on the same target were decided, in the last 30 days. */
  similar(approval: Approval): Promise<SimilarRequests> {
    return this.#options.store.similar(approval, new Date(this.#options.now() - SIMILAR_DAYS * DAY_MS))
  }

  /** A grant that is in force and covers this, if there is one: a pattern's, a connection's, or the same statement's. */
  async #covering(asked: ApprovalAsked): Promise<Approval | undefined> {
    for (const [id, known] of this.#grants) {
      if (!covers(known, asked, asked.need.policies)) continue
      // The row says whether it still is one.
      const approval = await this.#options.store.get(id)
      if (approval?.state === 'granted' && approval.expiresAt.getTime() > this.#options.now()) return approval
    }
    return undefined
  }

  #fresh(asked: ApprovalAsked, now: Date): Approval {
    const { need } = asked
    if (need.rules.length === 0 || need.policies.length === 0) {
      throw new SallyportError('REQUEST_INVALID', 'nobody is named who could approve it')
    }
    const seconds = usableSeconds({ need })
    return {
      id: newApprovalId(now.getTime()),
      kind: asked.statement === undefined ? 'connection' : 'statement',
      state: 'pending',
      digest: approvalDigest(asked),
      target: asked.target,
      database: asked.database,
      principal: asked.principal,
      policyVersion: asked.policyVersion,
      statement: asked.statement && keepStatement(asked.statement),
      need,
      sessionId: asked.sessionId,
      via: asked.via,
      sourceIp: asked.sourceIp,
      durable: asked.durable,
      reported: asked.reported,
      preview: undefined,
      createdAt: now,
      expiresAt: new Date(now.getTime() + seconds * 1000),
      grantedAt: undefined,
      closedAt: undefined,
      closedBecause: undefined,
      uses: 0,
      grant: undefined,
      decisions: [],
    }
  }

  #assertRoom({ id }: Principal): void {
    const { waiting, waitingPerPrincipal } = this.#options.limits
    let own = 0
    for (const principal of this.#pending.values()) if (principal === id) own++
    if (this.#pending.size < waiting && own < waitingPerPrincipal) return
    throw new SallyportError('LIMIT_REACHED', 'too many requests wait for approval already', {
      hint: 'wait until some of them are decided, or withdraw them',
    })
  }

  #wait(approval: Approval, isNew: boolean): WaitingApproval {
    const { id, durable, expiresAt } = approval
    const { promise, resolve } = Promise.withResolvers<Approval>()
    const waiters = this.#waiters.get(id) ?? new Set()
    waiters.add(resolve)
    this.#waiters.set(id, waiters)
    // It may have been decided between the store's answer and now.
    void this.#options.store.get(id).then(
      (now) => now !== undefined && now.state !== 'pending' && resolve(now),
      () => undefined,
    )
    const leave = (because: string): void => {
      waiters.delete(resolve)
      if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id)
      if (!durable) void this.#abandon(id, because)
    }
    return { id, isGranted: false, expiresAt, isNew, outcome: promise, leave }
  }

  async #withdraw(id: string, because: string): Promise<void> {
    await this.#close('approval.withdraw', 'withdrawn', id, (approval) =>
      withdrawn(approval, because, this.#now()),
    )
  }

  /** As `#withdraw`, but what has become a grant until a deadline stays one: it is no longer for that session alone. */
  async #abandon(id: string, because: string): Promise<void> {
    await this.#close('approval.withdraw', 'withdrawn', id, (approval) =>
      approval.state === 'granted' && approval.kind !== 'statement'
        ? approval
        : withdrawn(approval, because, this.#now()),
    )
  }

  async #expire(id: string): Promise<void> {
    await this.#close('approval.expire', 'expired', id, (approval) => expired(approval, this.#now()))
  }

  /** Ends what nobody decided about. If the store is away, the deadline still holds: it is checked again at every use. */
  async #close(
    type: 'approval.withdraw' | 'approval.expire',
    event: 'withdrawn' | 'expired',
    id: string,
    step: (approval: Approval) => Approval,
  ): Promise<void> {
    let was: Approval | undefined
    try {
      const next = await this.#options.store.change(id, (approval) => {
        was = approval
        const changed = step(approval)
        if (changed !== approval) {
          this.#audited(type, changed, undefined, { because: changed.closedBecause ?? '' })
        }
        return changed
      })
      if (next === undefined || was === undefined) return
      if (isOpen(next)) this.#track(next)
      else if (isOpen(was)) this.#moved(next, next.state === 'expired' ? 'expired' : event)
    } catch (error) {
      this.#options.log.warn({ err: error, approval: id }, 'an approval could not be closed')
      if (was !== undefined && isOpen(was))
        this.#deadlines.set(id, new Date(this.#options.now() + RETRY_MS), this.#now())
    }
  }

  /** Keeps what an open request needs kept: its timer, and whether it waits or is a grant. */
  #track(approval: Approval): void {
    const { id, state, kind } = approval
    if (state === 'pending') this.#pending.set(id, approval.principal.id)
    else this.#pending.delete(id)
    // An approval of one statement is looked up like a grant too: the next identical call finds it.
    if (state === 'granted' && (approval.durable || kind !== 'statement')) this.#grants.set(id, approval)
    else this.#grants.delete(id)
    if (isOpen(approval)) this.#deadlines.set(id, approval.expiresAt, this.#now())
    else this.#deadlines.clear(id)
  }

  #moved(approval: Approval, event: ApprovalEventType): void {
    const waited = this.#pending.has(approval.id)
    this.#track(approval)
    if (waited && approval.state !== 'pending' && approval.state !== 'used') {
      const seconds = (this.#options.now() - approval.createdAt.getTime()) / 1000
      this.#options.metrics.settled(approval.state, seconds)
    }
    if (approval.state !== 'pending') {
      for (const resolve of this.#waiters.get(approval.id) ?? []) resolve(approval)
      this.#waiters.delete(approval.id)
    }
    this.#tell(event, approval)
  }

  #tell(type: ApprovalEventType, approval: Approval): void {
    this.feed.tell({ type, approval })
  }

  #audited(
    type: Parameters<ApprovalAudit>[0]['type'],
    approval: Approval,
    principal: string | undefined,
    detail: Parameters<ApprovalAudit>[0]['detail'],
  ): void {
    this.#options.audit({
      type,
      target: approval.target,
      ...(principal === undefined ? {} : { principal }),
      ...(approval.sessionId === undefined ? {} : { sessionId: approval.sessionId }),
      detail: { approval: approval.id, ...detail },
    })
  }

  #now(): Date {
    return new Date(this.#options.now())
  }

  [Symbol.dispose](): void {
    this.#deadlines[Symbol.dispose]()
  }
}

/** After a store that was away. */
const RETRY_MS = 5_000

function answered(approval: Approval): WaitingApproval {
  return {
    id: approval.id,
    isGranted: true,
    expiresAt: approval.expiresAt,
    isNew: false,
    outcome: Promise.resolve(approval),
    leave: () => undefined,
  }
}

function unknown(id: string): SallyportError {
  return new SallyportError('APPROVAL_UNKNOWN', `there is no request ${id}`, {
    hint: '`sallyport approvals list` shows those that you may see',
  })
}

function notYours({ id }: Approval, why: string): SallyportError {
  return new SallyportError('APPROVAL_NOT_YOURS', `you cannot decide about ${id}: ${why}`)
}
