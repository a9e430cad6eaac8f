import { askSearchPath } from './ask-search-path.ts'
import type { AwaitedAnswers } from './awaited-answers.ts'
import type { FrontendBatch } from './frontend-batch.ts'
import type { FrontendSink, FrontendState } from './frontend-state.ts'
import { ENTRY } from './in-flight.ts'
import { FRONTEND } from './messages.ts'

/**
 * With nothing on its way, a statement need not be decided under all search paths that are possible: the target is asked
 * first which one is in force.
 */
export class SearchPathQuestion {
  readonly #state: FrontendState
  readonly #sink: FrontendSink
  readonly #batch: FrontendBatch
  readonly #answers: AwaitedAnswers

  constructor(state: FrontendState, sink: FrontendSink, batch: FrontendBatch, answers: AwaitedAnswers) {
    this.#state = state
    this.#sink = sink
    this.#batch = batch
    this.#answers = answers
  }

  /** True while the answer has to be waited for before a message of this type is looked at. */
  isAsked(type: number): boolean {
    const { bareNames, inFlight, nonce, copy } = this.#state
    if (
      !bareNames.shouldAsk ||
      (type !== FRONTEND.query && type !== FRONTEND.parse && type !== FRONTEND.bind)
    ) {
      return false
    }
    if (inFlight.size === 0) {
      if (this.#batch.isOpen || copy.open || copy.ignoredSyncs > 0) return false
      const question = askSearchPath(nonce)
      this.#sink.forward(question, 0, question.length)
      this.#batch.sent(ENTRY.ask, -1)
    } else if (inFlight.kind !== ENTRY.ask) return false
    this.#answers.wait()
    return true
  }
}
