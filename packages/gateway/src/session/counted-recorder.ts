import type { RecordingWaiter, SessionRecorder, Verdict } from '../protocols/contract.ts'
import type { DecisionTally } from './ports.ts'

/**
 * Counts decisions where each passes once, those too that were kept from an earlier statement: no statement is forwarded
 * or refused that is not recorded with its verdict.
 */
export class CountedRecorder implements SessionRecorder {
  readonly #recorder: SessionRecorder
  readonly #tally: DecisionTally

  constructor(recorder: SessionRecorder, tally: DecisionTally) {
    this.#recorder = recorder
    this.#tally = tally
  }

  statement(text: string, verdict: Verdict): number {
    if (verdict.permitted) this.#tally.permit++
    else this.#tally.deny++
    return this.#recorder.statement(text, verdict)
  }

  execute(statement: number, parameters: string): number {
    return this.#recorder.execute(statement, parameters)
  }

  result(
    of: number,
    tag: string,
    rows: number,
    bytes: number,
    microseconds: number,
    sqlstate?: string,
  ): void {
    this.#recorder.result(of, tag, rows, bytes, microseconds, sqlstate)
  }

  written(waiter: RecordingWaiter): void {
    this.#recorder.written(waiter)
  }
}
