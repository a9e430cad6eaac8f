import type { StatementReading } from '../../access/model.ts'
import type { BoundParameter, RedeemedApproval, Verdict } from '../contract.ts'
import { readCString } from '../wire/cstring.ts'
import { ApprovalGate } from './approval-gate.ts'
import type { AwaitedAnswers } from './awaited-answers.ts'
import type { FrontendBatch } from './frontend-batch.ts'
import { type FrontendSink, type FrontendState, NOTHING, type Outcome } from './frontend-state.ts'
import { ENTRY } from './in-flight.ts'
import { withoutClosedCopies } from './mask-copy-verdict.ts'
import { FRONTEND } from './messages.ts'
import { PrivilegedRun } from './privileged-run.ts'
import type { ReplacedMessages } from './replaced-message.ts'
import type { KnownStatement } from './statement-cache.ts'
import type { StatementDecisions } from './statement-decision.ts'

const IN_FAILED = 'current transaction is aborted, commands ignored until end of transaction block'

/**
 * What people's word means for the messages of a client: what it is needed for waits, and what was approved has the target
 * to itself until it has ended and its privilege is gone.
 */
export class StatementApproval {
  readonly #state: FrontendState
  readonly #sink: FrontendSink
  readonly #batch: FrontendBatch
  readonly #answers: AwaitedAnswers
  readonly #decisions: StatementDecisions
  readonly #replaced: ReplacedMessages
  readonly #gate: ApprovalGate
  /** The approved statement that the target is working on. */
  #run: PrivilegedRun | undefined

  constructor(
    state: FrontendState,
    sink: FrontendSink,
    batch: FrontendBatch,
    answers: AwaitedAnswers,
    decisions: StatementDecisions,
    replaced: ReplacedMessages,
  ) {
    this.#state = state
    this.#sink = sink
    this.#batch = batch
    this.#answers = answers
    this.#decisions = decisions
    this.#replaced = replaced
    this.#gate = new ApprovalGate(state, sink)
  }

  /**
   * What people say to a statement. It is called again for the same message until that is known.
   * @returns undefined while it is not; an approval is to be given to `begins` with the message that is sent
   */
  ask(
    known: KnownStatement,
    text: string,
    parameters: readonly BoundParameter[],
    verdict: Verdict,
    kind: typeof ENTRY.query | typeof ENTRY.bind,
  ): Buffer | 'flush' | RedeemedApproval | undefined {
    const reading: StatementReading | undefined = this.#decisions.readingOf(known)
    if (reading === undefined) return undefined
    const word = this.#gate.ask(known, reading, text, parameters, this.#decisions.bareNames, verdict)
    switch (word.kind) {
      case 'wait':
        return undefined
      case 'answers first':
        this.#answers.wait(true)
        return 'flush'
      case 'skipped':
        this.#batch.hasFailed = true
        return NOTHING
      case 'transaction failed':
        return this.#replaced.unknown('25P02', IN_FAILED, kind)
      case 'denied':
        return this.#replaced.deny(word.verdict, word.number, kind)
      case 'cancelled':
        return this.#replaced.cancelled(word.number, kind)
      case 'approved': {
        const { approval } = word
        return { ...approval, verdict: withoutClosedCopies(approval.verdict, known.session.copies) }
      }
      default:
        return word satisfies never
    }
  }

  /** The first of what its client has sent needs nobody's word, or no longer. */
  decidedOtherwise(): void {
    this.#gate.decidedOtherwise()
  }

  /** An approved statement is sent. @param portal that a Bind makes; left out for a simple query, which runs at once */
  begins(approval: RedeemedApproval, portal?: string): void {
    this.#run = new PrivilegedRun(approval, portal)
  }

  /** An Execute is sent. @returns whether it is of an approved portal, which runs with nothing behind it */
  executes(): boolean {
    const run = this.#run
    if (run === undefined || !run.isBound) return false
    run.runs()
    return true
  }

  /**
   * What an approved statement on its way means for the message in [at, end), of which there may be more. Nothing else goes
   * to the target before the statement has ended and its privilege is gone.
   * @returns undefined where the message may be looked at
   */
  holdsBack(bytes: Buffer, type: number, at: number, end: number): Outcome | undefined {
    const run = this.#run
    if (run === undefined || this.#isOfRun(run, bytes, type, at, end)) return undefined
    if (run.hasEnded) {
      this.#run = undefined
      return 'again'
    }
    if (this.#state.inFlight.isQuiet) {
      this.#sink.wait(run.end())
      return 'wait'
    }
    this.#answers.wait(true)
    return run.isBound ? 'flush' : 'wait'
  }

  /** Whether a message belongs to the approved statement that is on its way, and to nothing else. */
  #isOfRun(run: PrivilegedRun, bytes: Buffer, type: number, at: number, end: number): boolean {
    switch (type) {
      case FRONTEND.copyDone:
      case FRONTEND.copyFail:
      case FRONTEND.flush:
      case FRONTEND.terminate:
        return true
      case FRONTEND.sync:
        // While it takes COPY data, the target ignores it.
        return this.#state.copy.open
      case FRONTEND.describe:
        return run.isBound
      case FRONTEND.execute:
        return run.awaits(readCString(bytes, at + 5, end)?.text ?? '')
      default:
        return false
    }
  }

  /** Answers of the target's have come. */
  answered(): void {
    const { inFlight } = this.#state
    const run = this.#run
    if (run !== undefined && inFlight.isQuiet && (!run.isBound || inFlight.skipping)) void run.end()
    // The target has failed or given up what the statement would have been a part of.
    if (inFlight.skipping) this.#gate.cancel('the target gave up what it was a part of')
  }

  /** The client cancels what waits for people. False when nothing does. */
  cancel(): boolean {
    return this.#gate.cancel('its client cancelled it')
  }

  /** The session is over. */
  ended(): void {
    this.#gate.ended()
    void this.#run?.end()
  }
}

/** Whether people's word has come, and it is yes. */
export function isApproval(asked: Outcome | RedeemedApproval): asked is RedeemedApproval {
  return typeof asked === 'object' && 'release' in asked
}
