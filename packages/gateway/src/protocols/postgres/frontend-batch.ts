import type { Denied, EntryKind, Expected, InFlight, QueryAnswer } from './in-flight.ts'
import { ENTRY } from './in-flight.ts'
import type { Named, NamedStatements } from './named-statements.ts'

/** What was sent since the last Query or Sync: the target skips the rest of it when something in it fails ("Extended Query"). */
export class FrontendBatch {
  /** Of `performance.now()`, when the chunk came that is being looked at. */
  now = 0
  /** Something of this batch was replaced, and will fail: the target skips the rest of it, so it is not sent. */
  hasFailed = false
  /** Something was sent that a Sync has yet to follow. */
  isOpen = false
  readonly #inFlight: InFlight
  readonly #names: NamedStatements

  constructor(inFlight: InFlight, names: NamedStatements) {
    this.#inFlight = inFlight
    this.#names = names
  }

  /** A message is sent that the target answers. The arguments are those of `InFlight.push`. */
  sent(kind: EntryKind, number: number, named?: Named, denied?: Denied, expected?: Expected): void {
    this.#inFlight.push(kind, number, this.now, named, denied, expected)
  }

  /** After a Query or Sync the target goes on whatever became of what was sent before. */
  end(
    kind: typeof ENTRY.query | typeof ENTRY.sync,
    number: number,
    named?: Named,
    denied?: Denied,
    answer?: QueryAnswer,
  ): void {
    this.hasFailed = false
    this.isOpen = false
    this.sent(kind, number, named, denied, answer)
    this.#names.batchEnded()
  }
}
