import type { StatementReading } from '../../access/model.ts'
import type { ApprovalSubject, BoundParameter, Guard, RedeemedApproval, Verdict } from '../contract.ts'
import type { BareNames } from '../sql/search-path.ts'
import { approvalNotice } from './approval-notice.ts'
import { HeldStatement, isSameSubject } from './held-statement.ts'
import type { InFlight } from './in-flight.ts'
import type { NamedStatements } from './named-statements.ts'
import { shapeKey } from './shape-key.ts'
import type { KnownStatement } from './statement-cache.ts'

/** How it stands with a statement that needs approval. `number` is of the recorded statement. */
export type Word =
  /** What was begun will call for it to be looked at again. */
  | { readonly kind: 'wait' }
  /** The target has to answer first all that it was sent. */
  | { readonly kind: 'answers first' }
  /** The target skips it, with the rest of its batch: nobody need be asked. */
  | { readonly kind: 'skipped' }
  /** The target would refuse it, as everything in this transaction. */
  | { readonly kind: 'transaction failed' }
  | { readonly kind: 'denied'; readonly verdict: Verdict; readonly number: number }
  | { readonly kind: 'cancelled'; readonly number: number }
  /** To be sent now, with nothing else until it has ended. */
  | { readonly kind: 'approved'; readonly approval: RedeemedApproval }

/** What of a session the gate goes by. */
export interface GateState {
  readonly guard: Guard
  readonly inFlight: InFlight
  readonly names: NamedStatements
  readonly transaction: { readonly hasFailed: boolean }
}

/** How the gate is heard. */
export interface GateSink {
  /** The client waits for people: no more of it is consumed until then, and its end is noticed. */
  listen(done: Promise<unknown>): void
  /** A message of the gateway's own for the client, now. */
  notify(frame: Buffer): void
}

/**
 * Where a statement waits for people. There is one at a time in a session: the first of what its client has sent and was not
 * dealt with yet. It is asked about, and when people have said yes, made up anew from its bytes, redeemed, and compared once
 * more before it is let through.
 */
export class ApprovalGate {
  readonly #state: GateState
  readonly #sink: GateSink
  #held: HeldStatement | undefined
  /** The target was looked at anew for the statement that is to be asked about. */
  #hasLooked = false

  constructor(state: GateState, sink: GateSink) {
    this.#state = state
    this.#sink = sink
  }

  /**
   * To be called for the same message again until it is no longer `wait`.
   * @param reading all that it does, what it runs by name included
   * @param verdict one with `approval`
   */
  ask(
    known: KnownStatement,
    reading: StatementReading,
    text: string,
    parameters: readonly BoundParameter[],
    names: BareNames,
    verdict: Verdict,
  ): Word {
    const { inFlight, guard, transaction } = this.#state
    if (inFlight.skipping) {
      this.decidedOtherwise()
      return { kind: 'skipped' }
    }
    if (!inFlight.isQuiet) return { kind: 'answers first' }
    const subject = this.#subject(known, reading, text, parameters, names)
    const held = this.#held
    if (held === undefined) {
      if (transaction.hasFailed && !reading.facts.multi) return { kind: 'transaction failed' }
      if (!this.#hasLooked) {
        this.#hasLooked = true
        // Where that fails, people are asked about what is known: it is looked at once more before anything runs.
        this.#sink.listen(guard.lookAgain().catch(() => undefined))
        return { kind: 'wait' }
      }
      this.#hasLooked = false
      const number = guard.recorder.statement(text, verdict)
      if (subject === undefined) return { kind: 'denied', verdict: pathIsUncertain(verdict), number }
      const fresh = new HeldStatement(guard, verdict, number, (pending) =>
        this.#sink.notify(approvalNotice(pending, verdict)),
      )
      this.#held = fresh
      this.#sink.listen(fresh.ask(subject))
      return { kind: 'wait' }
    }
    return this.#word(held, subject, verdict)
  }

  #word(held: HeldStatement, subject: ApprovalSubject | undefined, verdict: Verdict): Word {
    const { guard } = this.#state
    const { state, number } = held
    switch (state.kind) {
      case 'asking':
        throw new TypeError('a statement was looked at again before people had decided')
      case 'granted':
        if (subject === undefined) break
        this.#sink.listen(held.redeem(subject))
        return { kind: 'wait' }
      case 'redeemed':
        if (subject === undefined || !isSameSubject(state.subject, subject)) break
        if (state.approval.verdict.epoch !== guard.epoch) break
        this.#held = undefined
        return { kind: 'approved', approval: state.approval }
      case 'denied':
        this.#held = undefined
        return { kind: 'denied', verdict: state.verdict, number }
      case 'cancelled':
        this.#held = undefined
        return { kind: 'cancelled', number }
      default:
        return state satisfies never
    }
    this.decidedOtherwise()
    return { kind: 'denied', verdict: changedSince(verdict, guard.epoch), number }
  }

  /** Exactly what would run. Undefined when it is not known for sure in which schemas its names are looked for. */
  #subject(
    known: KnownStatement,
    reading: StatementReading,
    text: string,
    parameters: readonly BoundParameter[],
    { paths, temporary }: BareNames,
  ): ApprovalSubject | undefined {
    const [path, ...others] = paths
    if (path === undefined || others.length > 0) return undefined
    const executes = known.session.executes.map((name) => {
      const prepared = this.#state.names.statement(name)
      return { name, text: typeof prepared === 'object' ? prepared.text : '' }
    })
    const bytes = Buffer.from(text)
    const shape = shapeKey(bytes, 0, bytes.length)
    return {
      text,
      reading,
      parameters,
      executes,
      searchPath: temporary.length > 0 ? ['pg_temp', ...path] : path,
      ...(shape === undefined ? {} : { shape }),
    }
  }

  /** The statement that waits is not wanted any more. False when there is none, or it is about to be sent. */
  cancel(why: string): boolean {
    return this.#held?.cancel(why) ?? false
  }

  /** Policy says something else now than when people were asked: their word is not needed, or does not help. */
  decidedOtherwise(): void {
    this.#hasLooked = false
    this.#held?.abandon('policy has decided otherwise meanwhile')
    this.#held = undefined
  }

  /** The session is over. */
  ended(): void {
    this.#held?.abandon('its client has gone')
    this.#held = undefined
  }
}

export function needsApproval(verdict: Verdict): boolean {
  return !verdict.permitted && verdict.approval !== undefined
}

/** PREPARE is harmless as Parse is: what it makes is asked about when EXECUTE runs it. */
export function isOnlyPrepared({ session, reading }: KnownStatement): boolean {
  return session.prepares !== undefined && session.executes.length === 0 && !reading.facts.multi
}

/** People cannot be asked any more about what is bound already. */
export function tooLateToAsk(verdict: Verdict): Verdict {
  if (!needsApproval(verdict)) return verdict
  return denied(verdict, 'since after it was bound', 'bind the statement again: people are asked then')
}

/** What was approved is not, or no longer for sure, what would run. */
export function changedSince({ policies, json }: Verdict, epoch: number): Verdict {
  return {
    permitted: false,
    policies,
    reason: "policies, the target's catalog or what its names mean have changed since it was approved",
    hint: 'send the statement again: people are asked again',
    code: 'APPROVAL_CHANGED',
    epoch,
    reusable: false,
    json,
  }
}

function pathIsUncertain(verdict: Verdict): Verdict {
  const hint = 'end the transaction in which search_path was set, or set it again in a query of its own'
  return denied(verdict, 'and it is not certain which search_path is in force', hint)
}

function denied(verdict: Verdict, because: string, hint: string): Verdict {
  const { approval: _, ...rest } = verdict
  return { ...rest, reason: `${verdict.reason ?? 'it needs approval'}, ${because}`, hint }
}
