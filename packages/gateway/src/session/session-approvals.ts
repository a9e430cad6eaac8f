import type { GrantedApproval } from '../access/approval.ts'
import type { Catalog } from '../access/catalog.ts'
import { type ErrorCode, SallyportError } from '../access/errors.ts'
import type { AccessContext, Principal, StatementReading, Target } from '../access/model.ts'
import type { Approvals, WaitingApproval } from '../approvals/approvals.ts'
import type { Approval, ApprovalBinding, Reported } from '../approvals/ports.ts'
import type {
  ApprovalOutcome,
  ApprovalSubject,
  PendingApproval,
  RedeemedApproval,
  Verdict,
} from '../protocols/contract.ts'
import { boundObjects } from './bound-objects.ts'

/**
 * Gives the session's credential what a statement needs. Disposing takes it away again and never rejects: where that fails,
 * the session is ended.
 * @throws SallyportError when it cannot be given
 */
export type Elevate = (reading: StatementReading) => Promise<{ release(): Promise<void> }>

/** How long a statement waits, and what becomes of its request then. */
export interface ApprovalWait {
  readonly ms: number
  /** The request outlives the statement and its session: the same statement takes it up later. */
  readonly keeps: boolean
}

export interface SessionApprovalsOptions {
  readonly approvals: Pick<Approvals, 'request' | 'redeem'>
  readonly principal: Principal
  readonly target: Target
  readonly context: Pick<AccessContext, 'sessionId' | 'sourceIp' | 'via'>
  readonly reported: Reported
  /** Of the policies that are in force now. */
  readonly policyVersion: () => string
  readonly catalog: () => Catalog
  /** Has the catalog read anew: what was changed since it was last looked at must not be taken for what was approved. */
  readonly lookAgain: () => Promise<unknown>
  readonly authorize: (reading: StatementReading, text: string, approval?: GrantedApproval) => Verdict
  readonly elevate: Elevate
  readonly wait: ApprovalWait
  readonly urlOf: (id: string) => string
  /** Told about each new request: what it would do can be looked at. */
  readonly onNew: (id: string, subject: ApprovalSubject) => void
  /** Told which request a statement of this session waits for. */
  readonly onPending?: (id: string) => void
}

/** Asks people about the statements of one session, and lets through what they approved: once, and only that. */
export class SessionApprovals {
  readonly #options: SessionApprovalsOptions

  constructor(options: SessionApprovalsOptions) {
    this.#options = options
  }

  /**
   * @param verdict one with `approval`
   * @throws SallyportError LIMIT_REACHED, REQUEST_INVALID, STORE_UNAVAILABLE
   */
  async request(subject: ApprovalSubject, verdict: Verdict): Promise<PendingApproval> {
    const { approvals, context, reported, wait, urlOf, onPending } = this.#options
    if (verdict.approval === undefined) throw new TypeError('nobody is to be asked about this')
    const waiting = await approvals.request({
      ...this.#bindingOf(subject),
      need: verdict.approval,
      sessionId: context.sessionId,
      via: context.via,
      sourceIp: context.sourceIp,
      durable: wait.keeps,
      reported,
    })
    onPending?.(waiting.id)
    if (waiting.isNew) this.#options.onNew(waiting.id, subject)
    const { promise: late, resolve: isLate } = Promise.withResolvers<undefined>()
    const timer = setTimeout(() => isLate(undefined), wait.ms)
    return {
      id: waiting.id,
      url: urlOf(waiting.id),
      expiresAt: waiting.expiresAt,
      outcome: Promise.race([waiting.outcome, late]).then((approval) => {
        clearTimeout(timer)
        return approval === undefined ? this.#gaveUp(waiting, verdict) : this.#outcome(approval, verdict)
      }),
      withdraw: (why) => {
        clearTimeout(timer)
        waiting.leave(why)
      },
    }
  }

  async #outcome(approval: Approval, verdict: Verdict): Promise<ApprovalOutcome> {
    if (approval.state === 'granted') {
      try {
        await this.#options.lookAgain()
      } catch (thrown) {
        const { code, message, hint } = SallyportError.from(thrown)
        const reason = `${approval.id} is granted, but what it is about cannot be looked at: ${message}`
        return { granted: false, verdict: refused(verdict, code, reason, hint) }
      }
      return { granted: true, redeem: (subject) => this.#redeem(approval.id, subject, verdict) }
    }
    const code = approval.state === 'expired' ? 'APPROVAL_EXPIRED' : 'APPROVAL_DENIED'
    const reason = `${approval.id} is ${approval.state}: ${approval.closedBecause ?? 'it is over'}`
    const hint =
      approval.state === 'denied'
        ? 'do something that needs no approval, or talk to whoever denied it'
        : 'send the statement again to ask again'
    return { granted: false, verdict: refused(verdict, code, reason, hint) }
  }

  /** Nobody has decided for as long as the statement may wait. */
  #gaveUp(waiting: WaitingApproval, verdict: Verdict): ApprovalOutcome {
    const { wait, target, urlOf } = this.#options
    const { id, expiresAt } = waiting
    const waited = `${Math.round(wait.ms / 1000)} s`
    waiting.leave(`nobody decided within ${waited}`)
    if (!wait.keeps) {
      const reason = `nobody decided about ${id} within ${waited}, as long as a statement waits on ${target.name}; it was withdrawn`
      const hint = 'send the statement again when somebody is there to decide'
      return { granted: false, verdict: refused(verdict, 'APPROVAL_EXPIRED', reason, hint) }
    }
    const reason = `it waits for approval ${id} at ${urlOf(id)} until ${expiresAt.toISOString()}`
    const hint = 'the request stays open: once it is approved, send the identical statement again'
    return { granted: false, verdict: refused(verdict, 'APPROVAL_PENDING', reason, hint) }
  }

  /** Never rejects. */
  async #redeem(id: string, subject: ApprovalSubject, asked: Verdict): Promise<RedeemedApproval> {
    const { approvals, authorize, elevate } = this.#options
    try {
      const now = authorize(subject.reading, subject.text)
      if (!now.permitted && now.approval === undefined) return notRedeemed(now)
      const policies = now.approval?.policies ?? asked.approval?.policies ?? []
      const granted = await approvals.redeem(id, this.#bindingOf(subject), policies)
      const verdict = authorize(subject.reading, subject.text, granted)
      if (!verdict.permitted) return notRedeemed(verdict)
      const privilege = await elevate(subject.reading)
      return { verdict: { ...verdict, reusable: false }, release: () => privilege.release() }
    } catch (thrown) {
      const { code, message, hint } = SallyportError.from(thrown)
      return notRedeemed(refused(asked, code, `${id} does not let it run: ${message}`, hint))
    }
  }

  #bindingOf(subject: ApprovalSubject): ApprovalBinding {
    const { target, principal, policyVersion, catalog } = this.#options
    return {
      target: target.name,
      database: target.database,
      principal,
      policyVersion: policyVersion(),
      statement: { ...subject, objects: boundObjects(subject.reading, catalog()) },
    }
  }
}

function notRedeemed(verdict: Verdict): RedeemedApproval {
  return { verdict, release: () => Promise.resolve() }
}

function refused(verdict: Verdict, code: ErrorCode, reason: string, hint: string | undefined): Verdict {
  const { approval: _, hint: _hint, ...rest } = verdict
  return { ...rest, permitted: false, code, reason, ...(hint === undefined ? {} : { hint }), reusable: false }
}
