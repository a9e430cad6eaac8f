import type {
  ApprovalOutcome,
  ApprovalSubject,
  PendingApproval,
  RedeemedApproval,
  Verdict,
} from '../contract.ts'

/** A request for people's word of which a test says what becomes of it. */
export class TestRequest implements PendingApproval {
  readonly id: string
  readonly url: string
  readonly expiresAt = new Date(Date.UTC(2030, 0, 1))
  readonly outcome: Promise<ApprovalOutcome>
  readonly subject: ApprovalSubject
  readonly #verdict: Verdict
  readonly #settle: (outcome: ApprovalOutcome) => void
  readonly #privilege: Privilege
  /** Why nobody waits for it any more. */
  withdrawn: string | undefined
  /** What was about to be sent, at each attempt to use it. */
  readonly redeemedWith: ApprovalSubject[] = []
  released = 0
  /** What policy says when it is asked again with the approval. Left out: yes. */
  atLast: Verdict | undefined

  constructor(n: number, subject: ApprovalSubject, verdict: Verdict, privilege: Privilege) {
    this.id = `apr_${n}`
    this.url = `http://gateway.test/approvals/${this.id}`
    this.subject = subject
    this.#verdict = verdict
    this.#privilege = privilege
    const { promise, resolve } = Promise.withResolvers<ApprovalOutcome>()
    this.outcome = promise
    this.#settle = resolve
  }

  withdraw(why: string): void {
    this.withdrawn ??= why
  }

  grant(): void {
    this.#settle({ granted: true, redeem: (subject) => this.#redeem(subject) })
  }

  deny(reason: string): void {
    const verdict: Verdict = {
      permitted: false,
      policies: this.#verdict.policies,
      reason,
      code: 'APPROVAL_DENIED',
      epoch: this.#verdict.epoch,
      reusable: false,
      json: '{}',
    }
    this.#settle({ granted: false, verdict })
  }

  async #redeem(subject: ApprovalSubject): Promise<RedeemedApproval> {
    this.redeemedWith.push(subject)
    await this.#privilege.give()
    const { approval: _, reason: _reason, code: _code, hint: _hint, ...rest } = this.#verdict
    return {
      verdict: this.atLast ?? { ...rest, permitted: true, policies: ['approved'], reusable: false },
      release: async () => {
        this.released++
        await this.#privilege.take()
      },
    }
  }
}

/** What the credential gets for an approved statement. */
export interface Privilege {
  give(): Promise<void>
  take(): Promise<void>
}

export const NO_PRIVILEGE: Privilege = { give: () => Promise.resolve(), take: () => Promise.resolve() }
