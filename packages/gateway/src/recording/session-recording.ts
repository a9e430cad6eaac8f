import { SallyportError } from '../access/errors.ts'
import type { MaskedColumn } from '../access/masking.ts'
import type { RecordingWaiter, SessionRecorder, Verdict } from '../protocols/contract.ts'
import type { Journal, JournalLine, RecordedEvent } from './ports.ts'
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

const AT = Buffer.from(',"at":')
const TEXT = Buffer.from(',"k":"statement","text":')
const DENIED_TEXT = Buffer.from(',"k":"statement","deny":1,"text":')
const DECISION = Buffer.from(',"d":')
const EXECUTE_OF = Buffer.from(',"k":"execute","of":')
const PARAMETERS = Buffer.from(',"p":')
const RESULT_OF = Buffer.from(',"k":"result","of":')
const ROWS = Buffer.from(',"rows":')
const BYTES = Buffer.from(',"bytes":')
const MICROSECONDS = Buffer.from(',"us":')
const TAG = Buffer.from(',"tag":')
const CLOSE = Buffer.from('}')

/** Bytes of the names above that one line can hold, and of its numbers. */
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
  /** Of the last verdict: the next one is mostly the same. */
  #json = { text: '', bytes: Buffer.alloc(0) }
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

  /** @throws SallyportError RECORDING_FAILED */
  statement(text: string, verdict: Verdict): number {
    this.#mustBeOpen()
    if (text.length > MAX_TEXT) return this.#tooLong(text, verdict)
    const json = this.#jsonOf(verdict)
    const line = this.#begin(text.length * MAX_STRING_UNIT + json.length)
    writeBytes(line, isDenied(verdict) ? DENIED_TEXT : TEXT)
    writeString(line, text)
    writeBytes(line, DECISION)
    writeBytes(line, json)
    return this.#end(line)
  }

  /** @throws SallyportError RECORDING_FAILED */
  execute(statement: number, parameters: string): number {
    this.#mustBeOpen()
    const line = this.#begin(parameters.length * MAX_UTF8)
    writeBytes(line, EXECUTE_OF)
    writeNumber(line, statement)
    writeBytes(line, PARAMETERS)
    writeJson(line, parameters)
    return this.#end(line)
  }

  /** A result that comes after the end is of nobody's statement any more and is left out. */
  result(
    of: number,
    tag: string,
    rows: number,
    bytes: number,
    microseconds: number,
    sqlstate?: string,
    masked?: readonly MaskedColumn[],
  ): void {
    if (this.#sealed) return
    const hidden = masked === undefined ? '' : `,"masked":${maskedJson(masked)}`
    const error = sqlstate === undefined ? '' : `,"sqlstate":${JSON.stringify(sqlstate)}`
    // Nobody waits for it, and a write of its own would double their number.
    const line = this.#begin(tag.length * MAX_STRING_UNIT + (error.length + hidden.length) * MAX_UTF8)
    writeBytes(line, RESULT_OF)
    writeNumber(line, of)
    writeBytes(line, ROWS)
    writeNumber(line, rows)
    writeBytes(line, BYTES)
    writeNumber(line, bytes)
    writeBytes(line, MICROSECONDS)
    writeNumber(line, microseconds)
    writeBytes(line, TAG)
    writeString(line, tag)
    writeJson(line, error)
    writeJson(line, hidden)
    this.#end(line)
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

  /** Begins a line that goes with the next write; `most`: bytes of what is in it beside names and numbers. */
  #begin(most: number): JournalLine {
    const line = this.#journal.begin(this.#head.length + ROOM + most)
    writeBytes(line, this.#head)
    writeNumber(line, this.#next)
    writeBytes(line, AT)
    writeNumber(line, this.#now())
    return line
  }

  #end(line: JournalLine): number {
    writeBytes(line, CLOSE)
    this.#journal.endSoon()
    return this.#next++
  }

  #jsonOf({ json }: Verdict): Buffer {
    if (json !== this.#json.text) this.#json = { text: json, bytes: Buffer.from(json) }
    return this.#json.bytes
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
