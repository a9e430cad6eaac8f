import type { Verdict } from '../contract.ts'
import { isOnlyPrepared, needsApproval } from './approval-gate.ts'
import type { FrontendBatch } from './frontend-batch.ts'
import { malformed } from './frontend-bounds.ts'
import type { FrontendState, Outcome } from './frontend-state.ts'
import { ENTRY, type QueryAnswer } from './in-flight.ts'
import type { ReplacedMessages } from './replaced-message.ts'
import { isApproval, type StatementApproval } from './statement-approval.ts'
import type { KnownStatement } from './statement-cache.ts'
import type { StatementDecisions } from './statement-decision.ts'
import { namedByRunning } from './statement-effects.ts'

/** Query: String(query) ("Simple Query"). It is decided, recorded, and ends the batch that it came in. */
export class SimpleQuery {
  readonly #state: FrontendState
  readonly #batch: FrontendBatch
  readonly #decisions: StatementDecisions
  readonly #replaced: ReplacedMessages
  readonly #approval: StatementApproval

  constructor(
    state: FrontendState,
    batch: FrontendBatch,
    decisions: StatementDecisions,
    replaced: ReplacedMessages,
    approval: StatementApproval,
  ) {
    this.#state = state
    this.#batch = batch
    this.#decisions = decisions
    this.#replaced = replaced
    this.#approval = approval
  }

  /** The whole message is in [at, next). @throws SallyportError WIRE_MALFORMED */
  query(bytes: Buffer, at: number, next: number): Outcome {
    if (bytes[next - 1] !== 0) throw malformed('a Query message is not terminated')
    const decided = this.#decisions.decide(bytes, at + 5, next - 1)
    if (decided === undefined) return 'wait'
    const text = bytes.toString('utf8', at + 5, next - 1)
    let { known, verdict } = decided
    if (needsApproval(verdict)) {
      known ??= this.#decisions.knownAgain(verdict, bytes, at + 5, next - 1, text)
      if (known === undefined) return 'wait'
      if (!isOnlyPrepared(known)) {
        const asked = this.#approval.ask(known, text, [], verdict, ENTRY.query)
        if (asked === undefined) return 'wait'
        if (!isApproval(asked)) return asked
        this.#approval.begins(asked)
        verdict = asked.verdict
      }
    } else this.#approval.decidedOtherwise()
    const number = this.#state.guard.recorder.statement(text, verdict)
    if (!verdict.permitted && !needsApproval(verdict)) {
      return this.#replaced.deny(verdict, number, ENTRY.query)
    }
    const named = known && namedByRunning(this.#state, known, number, text, verdict)
    this.#batch.end(ENTRY.query, number, named, undefined, this.#answer(verdict, known))
    return 'forward'
  }

  /** Undefined where nothing has to be done to it: most statements. */
  #answer(verdict: Verdict, known: KnownStatement | undefined): QueryAnswer | undefined {
    const { masks } = verdict
    if (masks === undefined) return undefined
    const { copies } = (known ?? this.#state.statements.ofVerdict(verdict))?.session ?? { copies: [] }
    return { kind: 'query', masks, copies }
  }
}
