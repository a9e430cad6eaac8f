import type { Verdict } from '../contract.ts'
import { opaqueReading } from '../sql/reading.ts'
import { replaceCancelled, replaceDenied, replaceUnknown } from './denial.ts'
import type { FrontendBatch } from './frontend-batch.ts'
import type { FrontendState } from './frontend-state.ts'
import { type Denied, ENTRY } from './in-flight.ts'
import { FRONTEND } from './messages.ts'

/** What a message can be that another is sent in place of. */
type Replaced =
  | typeof ENTRY.query
  | typeof ENTRY.parse
  | typeof ENTRY.bind
  | typeof ENTRY.execute
  | typeof ENTRY.close

/**
 * Messages that the target does not get: each is taken for one that it will fail at (`denial.ts`), and so is the rest of its
 * batch. All that is here returns the bytes that are sent instead.
 */
export class ReplacedMessages {
  readonly #state: FrontendState
  readonly #batch: FrontendBatch

  constructor(state: FrontendState, batch: FrontendBatch) {
    this.#state = state
    this.#batch = batch
  }

  /** Denied by the protocol's own rules, not by policy: what cannot be read cannot be permitted. */
  refuse(why: string, kind: Replaced): Buffer {
    const { guard } = this.#state
    const text = `-- ${why}`
    const verdict = guard.authorize(opaqueReading(why), text)
    const number = guard.recorder.statement(text, verdict)
    return this.deny(verdict, number, kind)
  }

  /** @param number of the recorded statement */
  deny(verdict: Verdict, number: number, kind: Replaced): Buffer {
    const { sessionId, nonce } = this.#state
    return this.#replaced(replaceDenied(typeOf(kind), verdict, `${sessionId}.${number}`, nonce), number, kind)
  }

  /** Its client cancelled it while it waited for people. */
  cancelled(number: number, kind: Replaced): Buffer {
    const { sessionId, nonce } = this.#state
    return this.#replaced(replaceCancelled(typeOf(kind), `${sessionId}.${number}`, nonce), number, kind)
  }

  /** As PostgreSQL would say it: drivers prepare again on 26000. Nothing was asked of policy, and nothing is recorded. */
  unknown(sqlstate: string, message: string, kind: Replaced): Buffer {
    return this.#replaced(replaceUnknown(typeOf(kind), sqlstate, message, this.#state.nonce), -1, kind)
  }

  #replaced(
    { frame, denied }: { readonly frame: Buffer; readonly denied: Denied },
    number: number,
    kind: Replaced,
  ): Buffer {
    if (kind === ENTRY.query) this.#batch.end(kind, number, undefined, denied)
    else {
      this.#batch.sent(kind, number, undefined, denied)
      this.#batch.hasFailed = true
    }
    return frame
  }
}

/** In the extended protocol a Parse fails as well as any other. */
function typeOf(kind: Replaced): number {
  return kind === ENTRY.query ? FRONTEND.query : FRONTEND.parse
}
