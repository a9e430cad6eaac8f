import { SallyportError } from '../../access/errors.ts'
import { decodeErrorFields, BACKEND } from './messages.ts'
import { parseSearchPath, type SearchPath } from '../sql/search-path.ts'
import { readSearchPathRow } from './ask-search-path.ts'
import { ENTRY } from './in-flight.ts'
import type { Named } from './named-statements.ts'
import type { FrontendState } from './frontend.ts'
import { readCString } from '../wire/cstring.ts'

/** Errors, notices, row descriptions and notifications that are looked at whole: 1,600 columns with long names fit. */
export const MAX_BACKEND_MESSAGE = 1024 * 1024

/** Settings under which statements were read, and which must therefore stay as they are. */
const PINNED = new Map([
  ['client_encoding', 'UTF8'],
  ['standard_conforming_strings', 'on'],
])

/** Where the target's messages go. */
export interface BackendSink {
  /** Bytes for the client, in order. */
  forward(bytes: Buffer, start: number, end: number): void
  /** Answers have come in: the client may be read further. */
  answered(): void
}

/** The target's messages, in one synchronous pass per chunk: results are recorded, and its view of denials replaced. */
export class Backend {
  readonly #state: FrontendState
  readonly #sink: BackendSink
  /** Bytes of the current body that are still to come and need not be looked at. */
  #skip = 0
  /** Sent to the client since the last result, and rows and tag of the results of the current simple query. */
  #bytes = 0
  #rows = 0
  #tag = NO_TAG
  /** The tag that came last: it mostly comes again. */
  #lastTag = NO_TAG
  #sqlstate: string | undefined
  /** The search path as the last ParameterStatus has it; PostgreSQL reports it from 18 on. */
  #reportedPath: SearchPath | undefined
  /** As the target answered when it was asked. */
  #askedPath: SearchPath | undefined
  #now = 0

  constructor(state: FrontendState, sink: BackendSink) {
    this.#state = state
    this.#sink = sink
  }

  /** @returns how far `bytes` are dealt with. @throws SallyportError what ends the session */
  consume(bytes: Buffer, start: number, end: number): number {
    this.#now = 0
    let from = start
    let at = start
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, end - at)
      this.#skip -= skipped
      this.#bytes += skipped
      at += skipped
    }
    // It is asked when it has nothing else to answer, and sent nothing until it has.
    const isAsked = this.#state.inFlight.kind === ENTRY.ask
    while (end - at >= 5) {
      const type = bytes[at] ?? 0
      const length = bytes.readInt32BE(at + 1)
      if (length < 4) throw broken(`it sent a message that says to be ${length} bytes long`)
      const next = at + 1 + length
      if ((type === BACKEND.dataRow && !isAsked) || type === BACKEND.copyData) {
        if (next > end) {
          this.#skip = next - end
          this.#bytes += end - at
          at = end
          break
        }
        this.#bytes += next - at
        at = next
        continue
      }
      if (next - at > MAX_BACKEND_MESSAGE)
        throw broken(`it sent a message of ${next - at} bytes where none is that long`)
      if (next > end) break
      this.#bytes += next - at
      const replacement = this.#message(bytes, type, at, next)
      if (replacement !== undefined) {
        if (at > from) this.#sink.forward(bytes, from, at)
        if (replacement.length > 0) this.#sink.forward(replacement, 0, replacement.length)
        from = next
      }
      at = next
    }
    if (at > from) this.#sink.forward(bytes, from, at)
    this.#sink.answered()
    return at
  }

  /** @returns what the client gets instead, or undefined: the message as it came */
  #message(bytes: Buffer, type: number, at: number, next: number): Buffer | undefined {
    const { inFlight } = this.#state
    while (inFlight.kind === ENTRY.copyEnd) inFlight.shift()
    if (inFlight.kind === ENTRY.ask && isAnswer(type)) return this.#asked(bytes, type, at, next)
    switch (type) {
      case BACKEND.commandComplete:
        this.#completed(this.#tagAt(bytes, at + 5, next - 1))
        return undefined
      case BACKEND.emptyQueryResponse:
      case BACKEND.portalSuspended:
        this.#completed(NO_TAG)
        return undefined
      case BACKEND.parseComplete:
        this.#confirmed(ENTRY.parse)
        return undefined
      case BACKEND.bindComplete:
        this.#confirmed(ENTRY.bind)
        return undefined
      case BACKEND.closeComplete:
        this.#confirmed(ENTRY.close)
        return undefined
      case BACKEND.readyForQuery:
        this.#ready(bytes[at + 5] ?? 0)
        return undefined
      case BACKEND.errorResponse:
        return this.#failed(bytes, at, next)
      case BACKEND.parameterStatus:
        this.#parameterChanged(bytes, at + 5, next)
        return undefined
      case BACKEND.copyInResponse:
        this.#copyBegins()
        return undefined
      case BACKEND.rowDescription:
      case BACKEND.noData:
      case BACKEND.parameterDescription:
      case BACKEND.noticeResponse:
      case BACKEND.notificationResponse:
      case BACKEND.copyOutResponse:
      case BACKEND.copyDone:
        return undefined
      default:
        throw broken(`it sent a message of type 0x${type.toString(16)}, which has no place here`)
    }
  }

  /** CommandComplete, and what stands in its place. The tag's last word is the number of rows, where there is one. */
  #completed(completed: Tag): void {
    const { text: tag, rows } = completed
    const { inFlight, guard, copy, names } = this.#state
    copy.open = false
    copy.ignoredSyncs = 0
    const { named } = inFlight
    if (inFlight.kind === ENTRY.execute) {
      guard.recorder.result(inFlight.number, tag, rows, this.#bytes, this.#elapsed())
      this.#bytes = 0
      if (named !== undefined && tag !== MAKES[named.kind]) names.discard(named)
      inFlight.shift()
    } else {
      if (inFlight.kind !== ENTRY.query) throw broken('it answered a statement that it was not sent')
      this.#rows += rows
      this.#tag = completed
      if (tag.startsWith('COPY ')) inFlight.copyTaken()
    }
    if (named !== undefined && tag === MAKES[named.kind]) this.#confirm(named)
    else if (tag === 'DEALLOCATE ALL' || tag === 'DISCARD ALL') names.deallocatedAll()
  }

  #tagAt(bytes: Buffer, start: number, end: number): Tag {
    const last = this.#lastTag
    if (last.bytes.length === end - start) {
      let same = start
      while (same < end && bytes[same] === last.bytes[same - start]) same++
      if (same === end) return last
    }
    const text = bytes.toString('latin1', start, end)
    this.#lastTag = { bytes: Buffer.from(text, 'latin1'), text, rows: rowsOf(text) }
    return this.#lastTag
  }

  #confirmed(kind: typeof ENTRY.parse | typeof ENTRY.bind | typeof ENTRY.close): void {
    const { inFlight } = this.#state
    if (inFlight.kind !== kind) throw broken('it confirmed something that it was not sent')
    this.#confirm(inFlight.named)
    inFlight.shift()
  }

  #confirm(named: Named | undefined): void {
    if (named !== undefined) this.#state.names.confirm(named)
  }

  /** ReadyForQuery: Byte1 status, 'I' idle, 'T' in a transaction, 'E' in a failed one. */
  #ready(status: number): void {
    const { inFlight, guard, names, bareNames, copy } = this.#state
    if (inFlight.skipping) this.#dropToSync()
    if (inFlight.kind === ENTRY.query) {
      const { named } = inFlight
      // Left over when the PREPARE in it failed or never came to run.
      if (named !== undefined) names.discard(named)
      guard.recorder.result(
        inFlight.number,
        this.#tag.text,
        this.#rows,
        this.#bytes,
        this.#elapsed(),
        this.#sqlstate,
      )
      inFlight.shift()
    } else if (inFlight.kind === ENTRY.sync) {
      inFlight.shift()
    } else if (inFlight.kind === undefined && copy.ignoredSyncs > 0) {
      // A COPY failed before the target came to the Sync that it would have ignored.
      copy.ignoredSyncs--
      inFlight.skipping = false
    } else {
      throw broken('it is ready before it has answered')
    }
    this.#bytes = 0
    this.#rows = 0
    this.#tag = NO_TAG
    this.#sqlstate = undefined
    this.#state.transaction.hasFailed = status === 0x45
    if (status === 0x49) names.transactionEnded()
    bareNames.ready(status)
    if (this.#reportedPath !== undefined && inFlight.size === 0) bareNames.reported(this.#reportedPath)
  }

  /** What comes back when the search path was asked for: none of it is for the client. */
  #asked(bytes: Buffer, type: number, at: number, next: number): Buffer {
    const { inFlight, bareNames } = this.#state
    if (type === BACKEND.dataRow) this.#askedPath = readSearchPathRow(bytes, at + 5, next)
    if (type === BACKEND.readyForQuery) {
      inFlight.shift()
      this.#bytes = 0
      bareNames.ready(bytes[at + 5] ?? 0)
      if (this.#askedPath === undefined) bareNames.askedInVain()
      else bareNames.reported(this.#askedPath)
      this.#askedPath = undefined
    }
    return NOTHING
  }

  /** @throws SallyportError when a setting changed under which statements are read */
  #parameterChanged(bytes: Buffer, start: number, end: number): void {
    const name = readCString(bytes, start, end)
    const value = name && readCString(bytes, name.next, end)
    if (name === undefined || value === undefined) throw broken('it sent an unreadable ParameterStatus')
    if (name.text === 'search_path') this.#reportedPath = parseSearchPath(value.text)
    checkPinned(name.text, value.text)
  }

  /** An error fails the whole of a simple query; in the extended protocol, everything up to the next Sync. */
  #failed(bytes: Buffer, at: number, next: number): Buffer | undefined {
    const { inFlight, guard, copy } = this.#state
    copy.open = false
    const fields = decodeErrorFields(bytes, at + 5, next)
    const sqlstate = fields.get('C') ?? ''
    const { denied } = inFlight
    const replacement =
      denied !== undefined && sqlstate === '42601' && fields.get('M')?.includes(denied.marker)
        ? denied.response
        : undefined
    const shown = replacement === undefined ? sqlstate : (denied?.sqlstate ?? '42501')
    if (inFlight.kind === ENTRY.query) {
      this.#sqlstate = shown
      return replacement
    }
    if (inFlight.kind !== undefined && inFlight.number >= 0) {
      guard.recorder.result(inFlight.number, '', 0, this.#bytes, this.#elapsed(), shown)
    }
    this.#dropToSync()
    this.#bytes = 0
    return replacement
  }

  /** What the target skips it will not answer; the names that it would have made are not made. */
  #dropToSync(): void {
    const { inFlight, names } = this.#state
    inFlight.dropToSync((named) => names.discard(named))
  }

  #copyBegins(): void {
    const { inFlight, copy } = this.#state
    const { data, syncs } = inFlight.copyBegins()
    if (data === 'broken') {
      throw new SallyportError(
        'WIRE_MALFORMED',
        'the client sent statements where the data of a COPY belongs',
      )
    }
    copy.open = data === 'open'
    copy.ignoredSyncs = syncs
  }

  /** Microseconds since the oldest entry was sent. The clock is read once per chunk. */
  #elapsed(): number {
    if (this.#now === 0) this.#now = performance.now()
    return Math.max(0, Math.round((this.#now - this.#state.inFlight.startedAt) * 1000))
  }
}

/** A command tag: `SELECT 3`. */
interface Tag {
  readonly bytes: Buffer
  readonly text: string
  /** Its last word, where that is a number. */
  readonly rows: number
}

/** The command tag that says that a name was made by SQL. */
const MAKES = { statement: 'PREPARE', cursor: 'DECLARE CURSOR', portal: undefined } as const

const NOTHING = Buffer.alloc(0)

/** Whether a message answers what was sent: the others can come at any time ("Asynchronous Operations"). */
function isAnswer(type: number): boolean {
  return (
    type !== BACKEND.noticeResponse &&
    type !== BACKEND.parameterStatus &&
    type !== BACKEND.notificationResponse
  )
}

const NO_TAG: Tag = { bytes: Buffer.alloc(0), text: '', rows: 0 }

function rowsOf(tag: string): number {
  const rows = Number(tag.slice(tag.lastIndexOf(' ') + 1))
  return Number.isInteger(rows) ? rows : 0
}

function checkPinned(name: string, value: string): void {
  const pinned = PINNED.get(name)
  if (pinned !== undefined && pinned !== value) {
    throw new SallyportError(
      'SESSION_ENDED',
      `${name} was changed to ${value}: statements can no longer be read`,
      { hint: `leave ${name} at ${pinned}` },
    )
  }
}

function broken(what: string): SallyportError {
  return new SallyportError('WIRE_MALFORMED', `the target broke the protocol: ${what}`)
}
