import { SallyportError } from '../../access/errors.ts'
import type {
  ApprovalOutcome,
  ApprovalSubject,
  Guard,
  PendingApproval,
  RedeemedApproval,
  Verdict,
} from '../contract.ts'

/** How it stands with a statement that people are asked about. */
export type Held =
  | { readonly kind: 'asking' }
  /** People have said yes: to be redeemed with what is about to be sent. */
  | { readonly kind: 'granted' }
  | { readonly kind: 'redeemed'; readonly approval: RedeemedApproval; readonly subject: ApprovalSubject }
  | { readonly kind: 'denied'; readonly verdict: Verdict }
  /** Its client has cancelled it. */
  | { readonly kind: 'cancelled' }

/**
 * One statement that waits for people, from asking to the moment before it is sent. It is the first of what its client has
 * sent and was not dealt with yet; nothing behind it moves.
 */
export class HeldStatement {
  /** Of the recorded statement, as it was asked about. */
  readonly number: number
  readonly #guard: Guard
  readonly #verdict: Verdict
  readonly #onPending: (pending: PendingApproval) => void
  readonly #left = Promise.withResolvers<undefined>()
  #held: Held = { kind: 'asking' }
  #pending: PendingApproval | undefined
  #granted: Extract<ApprovalOutcome, { granted: true }> | undefined

  /** @param onPending told once when the request is stored: the client's user has to know where to decide */
  constructor(guard: Guard, verdict: Verdict, number: number, onPending: (pending: PendingApproval) => void) {
    this.#guard = guard
    this.#verdict = verdict
    this.number = number
    this.#onPending = onPending
  }

  get state(): Held {
    return this.#held
  }

  /** Asks and waits. Never rejects; `state` says what came of it. */
  async ask(subject: ApprovalSubject): Promise<void> {
    let pending: PendingApproval
    try {
      await this.#recorded()
      pending = await this.#guard.requestApproval(subject, this.#verdict)
    } catch (thrown) {
      if (this.#held.kind === 'asking') this.#held = { kind: 'denied', verdict: this.#notAsked(thrown) }
      return
    }
    if (this.#held.kind !== 'asking') {
      pending.withdraw('its client has gone')
      return
    }
    this.#pending = pending
    this.#onPending(pending)
    const outcome = await Promise.race([pending.outcome, this.#left.promise])
    if (outcome === undefined || this.#held.kind !== 'asking') return
    if (outcome.granted) {
      this.#granted = outcome
      this.#held = { kind: 'granted' }
    } else {
      this.#pending = undefined
      this.#held = { kind: 'denied', verdict: outcome.verdict }
    }
  }

  /** @param subject made anew from the bytes that are to be sent. Never rejects; `state` says what came of it. */
  async redeem(subject: ApprovalSubject): Promise<void> {
    const granted = this.#granted
    this.#granted = undefined
    this.#pending = undefined
    if (granted === undefined) throw new TypeError('there is nothing to redeem')
    const approval = await granted.redeem(subject)
    if (this.#held.kind !== 'granted') {
      await approval.release()
    } else if (approval.verdict.permitted) {
      this.#held = { kind: 'redeemed', approval, subject }
    } else {
      await approval.release()
      this.#held = { kind: 'denied', verdict: approval.verdict }
    }
  }

  /** It is not wanted any more. False when it is too late for that: it is about to be sent. */
  cancel(why: string): boolean {
    if (this.#held.kind !== 'asking' && this.#held.kind !== 'granted') return false
    this.#held = { kind: 'cancelled' }
    this.#leave(why)
    return true
  }

  /** Nobody is there any more for whom it could run. What is granted for it is taken away. */
  abandon(why: string): void {
    const held = this.#held
    this.#held = { kind: 'cancelled' }
    this.#leave(why)
    if (held.kind === 'redeemed') void held.approval.release()
  }

  #leave(why: string): void {
    this.#pending?.withdraw(why)
    this.#pending = undefined
    this.#left.resolve(undefined)
  }

  #recorded(): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#guard.recorder.written({ recorded: resolve, unrecorded: reject }),
    )
  }

  #notAsked(thrown: unknown): Verdict {
    const error = SallyportError.from(thrown)
    const { approval: _, ...verdict } = this.#verdict
    const reason = `${verdict.reason ?? 'it needs approval'}, and nobody could be asked: ${error.message}`
    return {
      ...verdict,
      reason,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      reusable: false,
    }
  }
}

/** Whether two are the same to the byte. */
export function isSameSubject(a: ApprovalSubject, b: ApprovalSubject): boolean {
  return (
    a.text === b.text &&
    JSON.stringify([a.reading.operations, a.reading.needs]) ===
      JSON.stringify([b.reading.operations, b.reading.needs]) &&
    sameList(a.searchPath, b.searchPath) &&
    a.executes.length === b.executes.length &&
    a.executes.every(({ name, text }, i) => b.executes[i]?.name === name && b.executes[i]?.text === text) &&
    a.parameters.length === b.parameters.length &&
    a.parameters.every((one, i) => {
      const other = b.parameters[i]
      if (other === undefined || one.format !== other.format || one.type !== other.type) return false
      if (one.value === null || other.value === null) return one.value === other.value
      return one.value.equals(other.value)
    })
  )
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i])
}
