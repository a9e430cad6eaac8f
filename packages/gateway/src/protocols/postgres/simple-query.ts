import type { Verdict } from '../contract.ts'
import { isOnlyPrepared, needsApproval } from './approval-gate.ts'
import { malformed } from './frontend-bounds.ts'
import type { FrontendRules } from './frontend-rules.ts'
import type { Outcome } from './frontend-state.ts'
import { ENTRY, type QueryAnswer } from './in-flight.ts'
import { isApproval } from './statement-approval.ts'
import type { KnownStatement } from './statement-cache.ts'
import { namedByRunning } from './statement-effects.ts'

/** Query: String(query) ("Simple Query"). It is decided, recorded, and ends the batch that it came in. */
export class SimpleQuery {
  readonly #rules: FrontendRules

  constructor(rules: FrontendRules) {
    this.#rules = rules
  }

  /** The whole message is in [at, next). @throws SallyportError WIRE_MALFORMED */
  query(bytes: Buffer, at: number, next: number): Outcome {
    if (bytes[next - 1] !== 0) throw malformed('a Query message is not terminated')
    const { state, batch, decisions, replaced, approval } = this.#rules
    const decided = decisions.decide(bytes, at + 5, next - 1)
    if (decided === undefined) return 'wait'
    const text = bytes.toString('utf8', at + 5, next - 1)
    let { known, verdict } = decided
    if (needsApproval(verdict)) {
      known ??= decisions.knownAgain(verdict, bytes, at + 5, next - 1, text)
      if (known === undefined) return 'wait'
      if (!isOnlyPrepared(known)) {
        const asked = approval.ask(known, text, [], verdict, ENTRY.query)
        if (asked === undefined) return 'wait'
        if (!isApproval(asked)) return asked
        approval.begins(asked)
        verdict = asked.verdict
      }
    } else approval.decidedOtherwise()
    const number = state.guard.recorder.statement(text, verdict)
    if (!verdict.permitted && !needsApproval(verdict)) {
      return replaced.deny(verdict, number, ENTRY.query)
    }
    const named = known && namedByRunning(state, known, number, text, verdict)
    batch.end(ENTRY.query, number, named, undefined, this.#answer(verdict, known))
    return 'forward'
  }

  /** Undefined where nothing has to be done to it: most statements. */
  #answer(verdict: Verdict, known: KnownStatement | undefined): QueryAnswer | undefined {
    const { masks } = verdict
    if (masks === undefined) return undefined
    const { copies } = (known ?? this.#rules.state.statements.ofVerdict(verdict))?.session ?? { copies: [] }
    return { kind: 'query', masks, copies }
  }
}
