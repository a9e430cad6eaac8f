import { SallyportError } from '../access/errors.ts'
import type { MaskedColumn } from '../access/masking.ts'
import type { RecordingWaiter, SessionRecorder, Verdict } from '../protocols/contract.ts'
import { jsonString } from './json-string.ts'
import type { Journal, RecordedEvent } from './ports.ts'

/** What is known of a session when its recording opens. */
export type SessionStart = Extract<RecordedEvent, { kind: 'start' }>['session']

/**
 * In UTF-16 units. A statement is kept whole or not run: what nobody can read afterwards must not happen. Denied ones are
 * kept up to here, so that whoever sends megabytes of them cannot fill the disk.
 */
export const MAX_TEXT = 1024 * 1024

/** Where a recording that cannot be ended says so. */
export interface RecordingLog {
  error(details: object, message: string): void
}

/**
 * One session's recording: every event is a line of JSON in the journal, `{"s":session,"n":number,"at":epoch ms,"k":kind,
 * …}`. Lines are put together by hand, for these methods are called for every statement and every result.
 *
 * All methods but `seal` and `written` throw RECORDING_FAILED once the journal cannot be written.
 */
export class SessionRecording implements SessionRecorder, AsyncDisposable {
  readonly #journal: Journal
  readonly #log: RecordingLog
  readonly #now: () => number
  readonly #id: string
  readonly #sync: boolean
  readonly #head: string
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
    this.#head = `{"s":${jsonString(start.id)},"n":`
    this.#append(`,"k":"start","session":${JSON.stringify(start)}}`)
  }

  /** @throws SallyportError RECORDING_FAILED */
  statement(text: string, verdict: Verdict): number {
    this.#mustBeOpen()
    if (text.length > MAX_TEXT) return this.#tooLong(text, verdict)
    const denied = isDenied(verdict) ? ',"deny":1' : ''
    return this.#appendSoon(`,"k":"statement"${denied},"text":${jsonString(text)},"d":${verdict.json}}`)
  }

  /** @throws SallyportError RECORDING_FAILED */
  execute(statement: number, parameters: string): number {
    this.#mustBeOpen()
    return this.#appendSoon(`,"k":"execute","of":${statement},"p":${parameters}}`)
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
    const error = sqlstate === undefined ? '' : `,"sqlstate":${jsonString(sqlstate)}`
    // Nobody waits for it, and a write of its own would double their number.
    this.#appendSoon(
      `,"k":"result","of":${of},"rows":${rows},"bytes":${bytes},"us":${microseconds},"tag":${jsonString(tag)}${error}${hidden}}`,
    )
  }

  written(waiter: RecordingWaiter): void {
    const failure = this.#failure
    if (failure === undefined) this.#journal.written(waiter, this.#sync)
    else queueMicrotask(() => waiter.unrecorded(failure))
  }

  /** The temporary credential that the session runs on. @throws SallyportError RECORDING_FAILED */
  lease(leaseId: string, handle: string): void {
    this.#mustBeOpen()
    this.#append(`,"k":"lease","lease":${jsonString(leaseId)},"handle":${jsonString(handle)}}`)
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
      this.#append(`,"k":"end","reason":${jsonString(reason)}}`)
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
    this.#journal.append(`${this.#head}${number},"at":${this.#now()}${rest}`)
    return number
  }

  /** For what is followed by `written`, and for what nobody waits for. */
  #appendSoon(rest: string): number {
    const number = this.#next
    this.#next = number + 1
    this.#journal.appendSoon(`${this.#head}${number},"at":${this.#now()}${rest}`)
    return number
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
