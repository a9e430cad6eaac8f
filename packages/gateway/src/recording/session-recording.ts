import { SallyportError } from '../access/errors.ts'
import type { MaskedColumn } from '../access/masking.ts'
import type { RecordingWaiter, SessionRecorder, Verdict } from '../protocols/contract.ts'
import type { Journal, JournalLine, RecordedEvent } from './ports.ts'
import { LastPiece, TimedPiece } from './line-pieces.ts'
import {
  MAX_NUMBER,
  MAX_STRING_UNIT,
  MAX_UTF8,
  writeBytes,
  writeJson,
  writeNumber,
  writeString,
} from './write-json.ts'

/** What is known of a session when its recording opens. */
export type SessionStart = Extract<RecordedEvent, { kind: 'start' }>['session']

/**
 * In UTF-16 units. A statement is kept whole or not run: what nobody can read afterwards must not happen. Denied ones are
 * kept up to here, so that whoever sends megabytes of them cannot fill the disk.
 */
export const MAX_TEXT = 1024 * 1024

const STATEMENT = new TimedPiece(',"k":"statement","text":')
const DENIED_STATEMENT = new TimedPiece(',"k":"statement","deny":1,"text":')
const EXECUTE_OF = new TimedPiece(',"k":"execute","of":')
const RESULT_OF = new TimedPiece(',"k":"result","of":')
const ROWS = Buffer.from(',"rows":')
const BYTES = Buffer.from(',"bytes":')
const MICROSECONDS = Buffer.from(',"us":')
const PARAMETERS = Buffer.from(',"p":')
const CLOSE = Buffer.from('}')

/** Bytes of what one line always has, and of its numbers. */
const ROOM = 80 + 6 * MAX_NUMBER

/** Where a recording that cannot be ended says so. */
export interface RecordingLog {
  error(details: object, message: string): void
}

/**
 * One session's recording: every event is a line of JSON in the journal, `{"s":session,"n":number,"at":epoch ms,"k":kind,
 * …}`. Those of statements and results are put together byte by byte.
 *
 * All methods but `seal` and `written` throw RECORDING_FAILED once the journal cannot be written.
 */
export class SessionRecording implements SessionRecorder, AsyncDisposable {
  readonly #journal: Journal
  readonly #log: RecordingLog
  readonly #now: () => number
  readonly #id: string
  readonly #sync: boolean
  /** How every line begins. */
  readonly #head: Buffer
  /** How a statement's line ends, by its verdict … */
  readonly #decision = new LastPiece((json) => `,"d":${json}}`)
  /** … and a result's, by its tag. They are mostly those of the line before. */
  readonly #tag = new LastPiece((tag) => `,"tag":${JSON.stringify(tag)}}`)
  #next = 0
  #sealed = false
  /** Set when something could not be kept whole: nothing of this session is forwarded any more. */
  #failure: SallyportError | undefined

  /** `strict`: the target asks for events on the disk before their statement is forwarded. */
  constructor(
    services: { readonly journal: Journal; readonly log: RecordingLog; readonly now: () => number },
    start: SessionStart,
    strict: boolean,
  ) {
    this.#journal = services.journal
    this.#log = services.log
    this.#now = services.now
    this.#id = start.id
    this.#sync = strict
    this.#head = Buffer.from(`{"s":${JSON.stringify(start.id)},"n":`)
    this.#append(`,"k":"start","session":${JSON.stringify(start)}}`)
  }

  /** @param at epoch milliseconds @throws SallyportError RECORDING_FAILED */
  statement(text: string, verdict: Verdict, at = this.#now()): number {
    this.#mustBeOpen()
    if (text.length > MAX_TEXT) return this.#tooLong(text, verdict)
    const decision = this.#decision.of(verdict.json)
    const line = this.#begin(
      isDenied(verdict) ? DENIED_STATEMENT : STATEMENT,
      at,
      text.length * MAX_STRING_UNIT + decision.length,
    )
    writeString(line, text)
    writeBytes(line, decision)
    return this.#end()
  }

  /** @param at epoch milliseconds @throws SallyportError RECORDING_FAILED */
  execute(statement: number, parameters: string, at = this.#now()): number {
    this.#mustBeOpen()
    const line = this.#begin(EXECUTE_OF, at, parameters.length * MAX_UTF8)
    writeNumber(line, statement)
    writeBytes(line, PARAMETERS)
    writeJson(line, parameters)
    writeBytes(line, CLOSE)
    return this.#end()
  }

  /** A result that comes after the end is of nobody's statement any more and is left out. @param at epoch milliseconds */
  result(
    of: number,
    tag: string,
    rows: number,
    bytes: number,
    microseconds: number,
    sqlstate?: string,
    masked?: readonly MaskedColumn[],
    at = this.#now(),
  ): void {
    if (this.#sealed) return
    const hidden = masked === undefined ? '' : `,"masked":${maskedJson(masked)}`
    const error = sqlstate === undefined ? '' : `,"sqlstate":${JSON.stringify(sqlstate)}`
    const ending = this.#tag.of(tag)
    // Nobody waits for it, and a write of its own would double their number.
    const line = this.#begin(RESULT_OF, at, ending.length + (error.length + hidden.length) * MAX_UTF8)
    writeNumber(line, of)
    writeBytes(line, ROWS)
    writeNumber(line, rows)
    writeBytes(line, BYTES)
    writeNumber(line, bytes)
    writeBytes(line, MICROSECONDS)
    writeNumber(line, microseconds)
    writeBytes(line, ending)
    if (error !== '' || hidden !== '') {
      // Before the brace that closes the line.
      line.at--
      writeJson(line, error)
      writeJson(line, hidden)
      writeBytes(line, CLOSE)
    }
    this.#end()
  }

  written(waiter: RecordingWaiter): void {
    const failure = this.#failure
    if (failure === undefined) this.#journal.written(waiter, this.#sync)
    else queueMicrotask(() => waiter.unrecorded(failure))
  }

  /** The temporary credential that the session runs on. @throws SallyportError RECORDING_FAILED */
  lease(leaseId: string, handle: string): void {
    this.#mustBeOpen()
    this.#append(`,"k":"lease","lease":${JSON.stringify(leaseId)},"handle":${JSON.stringify(handle)}}`)
  }

  /**
   * Ends the recording: `client`, `target`, `deadline`, `killed by …`, `gateway stopped`, or an error's code. Only the
   * first reason counts. Never throws: the session has ended, whether that could be written or not, and what it was made
   * of still has to be removed.
   */
  seal(reason: string): void {
    if (this.#sealed) return
    this.#sealed = true
    try {
      this.#append(`,"k":"end","reason":${JSON.stringify(reason)}}`)
    } catch (error) {
      this.#log.error({ err: error, session: this.#id, reason }, 'the end of a session could not be recorded')
    }
  }

  /** Seals what nobody has sealed, and waits until the end is written. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.seal('INTERNAL')
    await new Promise<void>((resolve) => {
      try {
        this.#journal.written({ recorded: resolve, unrecorded: () => resolve() }, false)
      } catch {
        resolve()
      }
    })
  }

  #tooLong(text: string, verdict: Verdict): number {
    if (verdict.permitted) {
      this.#failure = new SallyportError(
        'WIRE_TOO_LARGE',
        `the statement has ${text.length} characters, more than the ${MAX_TEXT} that a recording keeps whole`,
        { hint: 'send data as parameters or with COPY instead of writing it into the statement' },
      )
    }
    const denied = isDenied(verdict) ? ',"deny":1' : ''
    const kept = JSON.stringify(text.slice(0, MAX_TEXT).toWellFormed())
    return this.#append(`,"k":"statement"${denied},"text":${kept},"cut":${text.length},"d":${verdict.json}}`)
  }

  #append(rest: string): number {
    const number = this.#next
    this.#next = number + 1
    this.#journal.append(`${this.#head.toString()}${number},"at":${this.#now()}${rest}`)
    return number
  }

  /** Begins a line that goes with the next write; `most`: bytes of what is in it beside its pieces and numbers. */
  #begin(piece: TimedPiece, at: number, most: number): JournalLine {
    const line = this.#journal.begin(this.#head.length + ROOM + most)
    writeBytes(line, this.#head)
    writeNumber(line, this.#next)
    writeBytes(line, piece.at(at))
    return line
  }

  #end(): number {
    this.#journal.endSoon()
    return this.#next++
  }

  #mustBeOpen(): void {
    if (!this.#sealed) return
    throw new SallyportError('SESSION_ENDED', 'the session has ended; nothing more can be recorded in it')
  }
}

/** What was masked, never what with: the recording is read by people who may not see the values either. */
function maskedJson(masked: readonly MaskedColumn[]): string {
  return JSON.stringify(
    masked.map(({ column, dataClass, method, values }) => ({ column, class: dataClass, method, values })),
  )
}

/** What waits for people is not denied; it may be in the end, and is recorded again then. */
function isDenied({ permitted, approval }: Verdict): boolean {
  return !permitted && approval === undefined
}
