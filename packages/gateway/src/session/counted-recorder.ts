import type { MaskedColumn } from '../access/masking.ts'
import type { RecordingWaiter, SessionRecorder, Verdict } from '../protocols/contract.ts'
import type { SessionRecording } from '../recording/session-recording.ts'
import type { DecisionTally } from './ports.ts'
import type { UsagePage } from './recent-usage.ts'

/** The recording that is counted: one look at the clock does for both. */
type TimedRecorder = Pick<SessionRecording, 'statement' | 'execute' | 'result' | 'written'>

/**
 * Counts decisions where each passes once, those too that were kept from an earlier statement: no statement is forwarded
 * or refused that is not recorded with its verdict.
 */
export class CountedRecorder implements SessionRecorder {
  readonly #recorder: TimedRecorder
  readonly #tally: DecisionTally
  readonly #usage: UsagePage
  readonly #onMasked: (masked: readonly MaskedColumn[]) => void

  constructor(
    recorder: TimedRecorder,
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
    const now = Date.now()
    this.#usage.statement(now, verdict.permitted || asksPeople)
    return this.#recorder.statement(text, verdict, now)
  }

  execute(statement: number, parameters: string): number {
    const now = Date.now()
    this.#usage.statement(now, true)
    return this.#recorder.execute(statement, parameters, now)
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
    const now = Date.now()
    if (rows > 0) this.#usage.rows(now, rows)
    if (masked !== undefined) this.#onMasked(masked)
    this.#recorder.result(of, tag, rows, bytes, microseconds, sqlstate, masked, now)
  }

  written(waiter: RecordingWaiter): void {
    this.#recorder.written(waiter)
  }
}
