import type { AwaitedAnswers } from './awaited-answers.ts'
import { BindMessage } from './bind-message.ts'
import { ExtendedQuery } from './extended-query.ts'
import type { FrontendBatch } from './frontend-batch.ts'
import { malformed, MAX_SMALL_MESSAGE, MAX_STATEMENT, tooLong } from './frontend-bounds.ts'
import { frontendRules } from './frontend-rules.ts'
import { type FrontendSink, type FrontendState, NOTHING, type Outcome } from './frontend-state.ts'
import { ENTRY } from './in-flight.ts'
import { FLUSH, FRONTEND } from './messages.ts'
import type { ReplacedMessages } from './replaced-message.ts'
import { SearchPathQuestion } from './search-path-question.ts'
import { SimpleQuery } from './simple-query.ts'
import type { StatementApproval } from './statement-approval.ts'

/**
 * The client's messages, in one synchronous pass per chunk: each is decided and recorded in front of being forwarded,
 * and a denied one is replaced ("Message Flow", "Simple Query", "Extended Query").
 */
export class Frontend {
  readonly #state: FrontendState
  readonly #sink: FrontendSink
  /** Bytes of the current body that are still to come, and whether they are forwarded or dropped. */
  #skip = 0
  #drop = 0
  #finished = false
  readonly #batch: FrontendBatch
  readonly #answers: AwaitedAnswers
  readonly #path: SearchPathQuestion
  readonly #replaced: ReplacedMessages
  readonly #approval: StatementApproval
  readonly #simple: SimpleQuery
  readonly #bind: BindMessage
  readonly #extended: ExtendedQuery

  constructor(state: FrontendState, sink: FrontendSink) {
    const rules = frontendRules(state, sink)
    this.#state = state
    this.#sink = sink
    this.#batch = rules.batch
    this.#answers = rules.answers
    this.#path = new SearchPathQuestion(state, sink, rules.batch, rules.answers)
    this.#replaced = rules.replaced
    this.#approval = rules.approval
    this.#simple = new SimpleQuery(rules)
    this.#bind = new BindMessage(rules)
    this.#extended = new ExtendedQuery(rules)
  }

  /** @returns how far `bytes` are dealt with. @throws SallyportError WIRE_MALFORMED and others, which end the session */
  consume(bytes: Buffer, start: number, end: number): number {
    if (this.#finished) return end
    this.#batch.now = performance.now()
    // Everything in [from, at) is to be forwarded as it came, in one piece.
    let from = start
    let at = start
    if (this.#drop > 0) {
      const dropped = Math.min(this.#drop, end - at)
      this.#drop -= dropped
      at += dropped
      from = at
    }
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, end - at)
      this.#skip -= skipped
      at += skipped
    }
    while (end - at >= 5) {
      const { inFlight, names } = this.#state
      if (inFlight.full && inFlight.skipping) inFlight.dropToSync((named) => names.discard(named))
      if (inFlight.full) {
        this.#answers.wait()
        break
      }
      const type = bytes[at] ?? 0
      const length = bytes.readInt32BE(at + 1)
      if (length < 4) throw malformed(`a message says that it is ${length} bytes long`)
      if (this.#path.isAsked(type)) break
      const next = at + 1 + length
      const outcome =
        this.#batch.hasFailed && type !== FRONTEND.sync && type !== FRONTEND.terminate
          ? NOTHING
          : this.#message(bytes, type, at, next, end)
      if (outcome === 'again') continue
      const ahead = this.#extended.takeAhead()
      if (ahead !== undefined) {
        if (at > from) this.#sink.forward(bytes, from, at)
        this.#sink.forward(ahead, 0, ahead.length)
        from = at
      }
      if (outcome === 'forward') {
        if (next > end) {
          this.#skip = next - end
          at = end
          break
        }
        at = next
      } else if (outcome === 'incomplete' || outcome === 'wait') {
        break
      } else if (outcome === 'flush') {
        // In the extended protocol the target answers only when it is asked to.
        if (at > from) this.#sink.forward(bytes, from, at)
        this.#sink.forward(FLUSH, 0, FLUSH.length)
        return at
      } else if (outcome === 'run') {
        at = next
        this.#sink.forward(bytes, from, at)
        this.#sink.forward(FLUSH, 0, FLUSH.length)
        from = at
      } else if (outcome === 'finished') {
        at = next
        this.#finished = true
        this.#sink.forward(bytes, from, at)
        this.#sink.terminated()
        return end
      } else {
        // Replaced, or left out: what came before goes first.
        if (at > from) this.#sink.forward(bytes, from, at)
        if (outcome.length > 0) this.#sink.forward(outcome, 0, outcome.length)
        if (next > end) {
          this.#drop = next - end
          at = end
          from = end
          break
        }
        at = next
        from = next
      }
    }
    if (at > from) this.#sink.forward(bytes, from, at)
    return at
  }

  /** To be called when answers have come. What waited for them looks again whether it can be decided now. */
  answered(): void {
    this.#approval.answered()
    this.#answers.came()
  }

  /** The client cancels what waits for people. False when nothing does. */
  cancel(): boolean {
    return this.#approval.cancel()
  }

  /** The session is over. */
  ended(): void {
    this.#approval.ended()
  }

  #message(bytes: Buffer, type: number, at: number, next: number, end: number): Outcome {
    if (type === FRONTEND.copyData) return 'forward'
    const held = this.#approval.holdsBack(bytes, type, at, Math.min(next, end))
    if (held !== undefined) return held
    switch (type) {
      case FRONTEND.query:
        if (next - at > MAX_STATEMENT) return this.#replaced.refuse(tooLong(next - at), ENTRY.query)
        return next > end ? 'incomplete' : this.#simple.query(bytes, at, next)
      case FRONTEND.parse:
        this.#batch.isOpen = true
        if (next - at > MAX_STATEMENT) return this.#replaced.refuse(tooLong(next - at), ENTRY.parse)
        return next > end ? 'incomplete' : this.#extended.parse(bytes, at, next)
      case FRONTEND.bind:
        this.#batch.isOpen = true
        return this.#bind.bind(bytes, at, next, end)
      default:
    }
    if (next - at > MAX_SMALL_MESSAGE)
      throw malformed(`a message of ${next - at} bytes came where none is that long`)
    if (next > end) return 'incomplete'
    switch (type) {
      case FRONTEND.execute:
        this.#batch.isOpen = true
        return this.#extended.execute(bytes, at, next)
      case FRONTEND.sync:
        if (this.#state.copy.open && !this.#batch.hasFailed) this.#state.copy.ignoredSyncs++
        else this.#batch.end(ENTRY.sync, -1)
        return 'forward'
      case FRONTEND.copyDone:
      case FRONTEND.copyFail:
        this.#state.copy.open = false
        this.#batch.sent(ENTRY.copyEnd, -1)
        return 'forward'
      case FRONTEND.close:
        this.#batch.isOpen = true
        return this.#extended.close(bytes, at, next)
      case FRONTEND.describe:
        this.#batch.isOpen = true
        return this.#extended.describe(bytes, at, next)
      case FRONTEND.flush:
        this.#batch.isOpen = true
        return 'forward'
      case FRONTEND.terminate:
        return 'finished'
      case FRONTEND.functionCall:
        return this.#replaced.refuse('function calls by number cannot be read', ENTRY.query)
      default:
        throw malformed(`a message of type 0x${type.toString(16)} is not one that a client sends`)
    }
  }
}
