import type { MaskedColumn } from '../access/masking.ts'
import type { Principal } from '../access/model.ts'

/**
 * The write-ahead file that everything recorded passes through: one write for all lines of one turn of the event loop,
 * before anything they speak of is done. The store is filled from it afterwards, and after a crash.
 */
export interface Journal {
  /** Queues one line of JSON (no newline in it) for this turn's write. Throws RECORDING_FAILED once writing has failed. */
  append(line: string): void
  /**
   * Begins a line that nothing waits for, or for which `written` is called: it goes with the next write, and within some
   * 20 ms if none comes. Lines keep their order. It is put together in the journal's own memory, where there is room for
   * `most` bytes, and is finished before anything else is done with the journal. Throws as `append` does.
   */
  begin(most: number): JournalLine
  /** The line that was begun is whole. */
  endSoon(): void
  /** Calls back after this turn's write; with `sync`, after the disk has it. Never before it returns. */
  written(waiter: JournalWaiter, sync: boolean): void
}

/** A line that is being put together: its next byte goes to `memory[at]`. */
export interface JournalLine {
  readonly memory: Buffer
  at: number
}

export interface JournalWaiter {
  recorded(): void
  unrecorded(error: Error): void
}

/** One recorded session, as lists and `sessions show` need it. */
export interface SessionRow {
  readonly id: string
  readonly principal: Principal
  readonly target: string
  readonly via: 'postgres' | 'mcp' | 'api'
  readonly purpose: string | undefined
  readonly clientName: string | undefined
  readonly clientSession: string | undefined
  /** The model's tool call that the session was opened for (`toolu_…`), as its client reported it. */
  readonly toolUseId: string | undefined
  readonly sourceIp: string
  readonly leaseId: string | undefined
  /** The temporary role on the target. */
  readonly handle: string | undefined
  readonly startedAt: Date
  readonly endedAt: Date | undefined
  /** `client`, `target`, `deadline`, `killed by …`, `gateway stopped`, `gateway crashed`, or an error's code. */
  readonly endReason: string | undefined
  readonly statements: number
  readonly denied: number
  readonly rows: number
  readonly bytes: number
}

/** One event of a session, as it was journalled. `n` counts from 0 within the session. */
export interface EventRow {
  readonly n: number
  readonly at: Date
  readonly event: RecordedEvent
}

export type RecordedEvent =
  | {
      readonly kind: 'start'
      readonly session: Omit<SessionRow, 'endedAt' | 'endReason' | 'statements' | 'denied' | 'rows' | 'bytes'>
    }
  | { readonly kind: 'lease'; readonly leaseId: string; readonly handle: string }
  | {
      readonly kind: 'statement'
      readonly text: string
      readonly decision: {
        /** `approval`: it waits for people, and has not run by this decision. */
        readonly effect: 'permit' | 'deny' | 'approval'
        readonly policies: readonly string[]
        readonly operations: readonly string[]
        readonly reason?: string
      }
    }
  | { readonly kind: 'execute'; readonly statement: number; readonly parameters: readonly (string | null)[] }
  | {
      readonly kind: 'result'
      readonly of: number
      readonly tag: string
      readonly rows: number
      readonly bytes: number
      readonly micros: number
      readonly sqlstate?: string
      /** Columns of which values were masked, and how many. */
      readonly masked?: readonly MaskedColumn[]
    }
  | { readonly kind: 'end'; readonly reason: string }

/** Reading recorded sessions back. Everything journalled so far is visible to a call made after it. */
export interface SessionStore {
  list(filter: {
    target?: string
    principal?: string
    live?: boolean
    limit: number
    before?: Date
  }): Promise<readonly SessionRow[]>
  get(id: string): Promise<SessionRow | undefined>
  events(id: string, range: { from: number; limit: number }): Promise<readonly EventRow[]>
}
