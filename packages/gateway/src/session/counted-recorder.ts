import type { MaskedColumn } from '../access/masking.ts'
import type { RecordingWaiter, SessionRecorder, Verdict } from '../protocols/contract.ts'
import type { DecisionTally } from './ports.ts'
import type { UsagePage } from './recent-usage.ts'

/**
 * Counts decisions where each passes once, those too that were kept from an earlier statement: no statement is forwarded
 * or refused that is not recorded with its verdict.
 */
export class CountedRecorder implements SessionRecorder {
  readonly #recorder: SessionRecorder
  readonly #tally: DecisionTally
  readonly #usage: UsagePage
  readonly #onMasked: (masked: readonly MaskedColumn[]) => void

  constructor(
    recorder: SessionRecorder,
    tally: DecisionTally,
    usage: UsagePage,
    onMasked: (masked: readonly MaskedColumn[]) => void,
  ) {
    this.#recorder = recorder
    this.#tally = tally
    this.#usage = usage
    this.#onMasked = onMasked
  }

  statement(text: string, verdict: Verdict): number {
    const asksPeople = verdict.approval !== undefined
    if (verdict.permitted) this.#tally.permit++
    else if (asksPeople) this.#tally.approval++
    else this.#tally.deny++
    this.#usage.statement(Date.now(), verdict.permitted || asksPeople)
    return this.#recorder.statement(text, verdict)
  }

  execute(statement: number, parameters: string): number {
    this.#usage.statement(Date.now(), true)
    return this.#recorder.execute(statement, parameters)
  }

  result(
    of: number,
    tag: string,
    rows: number,
    bytes: number,
    microseconds: number,
    sqlstate?: string,
    masked?: readonly MaskedColumn[],
  ): void {
    if (rows > 0) this.#usage.rows(Date.now(), rows)
    if (masked !== undefined) this.#onMasked(masked)
    this.#recorder.result(of, tag, rows, bytes, microseconds, sqlstate, masked)
  }

  written(waiter: RecordingWaiter): void {
    this.#recorder.written(waiter)
  }
}
