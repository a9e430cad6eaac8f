import { SallyportError } from '../../access/errors.ts'
import { decodeErrorFields, BACKEND, encodeNotification } from './messages.ts'
import { parseSearchPath, type SearchPath } from '../sql/search-path.ts'
import { readSearchPathRow } from './ask-search-path.ts'
import { ENTRY } from './in-flight.ts'
import type { CopyMasker } from './mask-copy.ts'
import { RowMasker } from './mask-rows.ts'
import { AnswerMasker } from './mask.ts'
import { MAX_MASKED_ROW, rowTooLong } from './masked-row-bound.ts'
import type { Named } from './named-statements.ts'
import type { FrontendState } from './frontend-state.ts'
import { RewrittenChunk } from './rewritten-chunk.ts'
import { readCString } from '../wire/cstring.ts'

/** Errors, notices, row descriptions and notifications that are looked at whole: 1,600 columns with long names fit. */
export const MAX_BACKEND_MESSAGE = 1024 * 1024

/** Shorter rows are left for the next read; longer ones would be moved with each. */
const GATHERED_FROM = 32 * 1024

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
  /** Masking has taken its share of this turn: the target is not to be read before others had theirs. */
  breathe(): void
}

/**
 * Milliseconds that masking may take before others get a turn of the event loop. Reads of 32 KiB bound what is copied;
 * what masks cost hangs on the masks.
 */
const MASKING_TURN = 2

/** The clock is looked at once in so many rows. */
const ROWS_PER_LOOK = 16

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
  readonly #answers: AnswerMasker
  /** What the client gets of what came. */
  readonly #chunk = new RewrittenChunk()
  /** A row that is to be masked, and is longer than a read: as much of it as there is. */
  #gathered: { readonly frame: Buffer; length: number } | undefined
  #maskedRows = 0

  constructor(state: FrontendState, sink: BackendSink) {
    this.#state = state
    this.#sink = sink
    this.#answers = new AnswerMasker(state)
  }

  /** @returns how far `bytes` are dealt with. @throws SallyportError what ends the session */
  consume(bytes: Buffer, start: number, end: number): number {
    this.#now = 0
    let at = start
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, end - at)
      this.#skip -= skipped
      this.#bytes += skipped
      at += skipped
    }
    if (this.#gathered !== undefined) {
      at = this.#gather(this.#gathered, bytes, at, end)
      this.#chunk.begin(bytes, at)
    } else this.#chunk.begin(bytes, start)
    let turn = 0
    // It is asked when it has nothing else to answer, and sent nothing until it has.
    const isAsked = this.#state.inFlight.kind === ENTRY.ask
    while (end - at >= 5) {
      const type = bytes[at] ?? 0
      const length = bytes.readInt32BE(at + 1)
      if (length < 4) throw broken(`it sent a message that says to be ${length} bytes long`)
      const next = at + 1 + length
      if ((type === BACKEND.dataRow && !isAsked) || type === BACKEND.copyData) {
        const masker = type === BACKEND.dataRow ? this.#answers.rows : this.#answers.copy
        if (masker === undefined) {
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
        if (next > end) {
          if (next - at > MAX_MASKED_ROW) throw rowTooLong()
          if (next - at <= GATHERED_FROM) break
          this.#send(at)
          this.#gathered = { frame: Buffer.allocUnsafeSlow(next - at), length: 0 }
          at = this.#gather(this.#gathered, bytes, at, end)
          this.#chunk.begin(bytes, at)
          break
        }
        this.#mask(masker, bytes, at, next)
        at = next
        if (turn === 0) turn = performance.now() + MASKING_TURN
        if (++this.#maskedRows % ROWS_PER_LOOK === 0 && performance.now() > turn) {
          this.#sink.breathe()
          break
        }
        continue
      }
      if (next - at > MAX_BACKEND_MESSAGE)
        throw broken(`it sent a message of ${next - at} bytes where none is that long`)
      if (next > end) break
      this.#bytes += next - at
      const replacement = this.#message(bytes, type, at, next)
      if (replacement !== undefined) {
        this.#chunk.replaceBy(at, next, replacement)
      }
      at = next
    }
    this.#send(at)
    this.#sink.answered()
    return at
  }

  /** What the chunk has for the client, up to `end`, in one write. */
  #send(end: number): void {
    const chunk = this.#chunk
    chunk.end(end)
    if (chunk.to > chunk.start) this.#sink.forward(chunk.bytes, chunk.start, chunk.to)
  }

  /** Masks one message with a row, or a part of a COPY. */
  #mask(masker: RowMasker | CopyMasker, bytes: Buffer, at: number, next: number): void {
    const longer =
      masker instanceof RowMasker
        ? masker.mask(bytes, at, next, this.#chunk)
        : masker.data(bytes, at, next, this.#chunk)
    this.#bytes += next - at + longer
  }

  /** Takes what there is of a long row, and masks it when it is whole. @returns how far `bytes` are taken */
  #gather(
    row: { readonly frame: Buffer; length: number },
    bytes: Buffer,
    start: number,
    end: number,
  ): number {
    const { frame } = row
    const taken = Math.min(frame.length - row.length, end - start)
    bytes.copy(frame, row.length, start, start + taken)
    row.length += taken
    if (row.length < frame.length) return start + taken
    this.#gathered = undefined
    const masker = frame[0] === BACKEND.dataRow ? this.#answers.rows : this.#answers.copy
    if (masker === undefined) throw broken('it went on within a row')
    this.#chunk.begin(frame, 0)
    this.#mask(masker, frame, 0, frame.length)
    this.#send(frame.length)
    return start + taken
  }

  /** @returns what the client gets instead, or undefined: the message as it came */
  #message(bytes: Buffer, type: number, at: number, next: number): Buffer | undefined {
    const { inFlight } = this.#state
    while (inFlight.kind === ENTRY.copyEnd) inFlight.shift()
    this.#answers.message()
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
        return this.#answers.hidesSettings ? NOTHING : undefined
      case BACKEND.copyInResponse:
        this.#copyBegins()
        return undefined
      case BACKEND.rowDescription:
        this.#answers.described(bytes, at + 5, next)
        return this.#describedAs(next - at)
      case BACKEND.noData:
        this.#answers.hasNoRows()
        return this.#describedAs(next - at)
      case BACKEND.noticeResponse:
        return this.#answers.text(type, bytes, at + 5, next)
      case BACKEND.notificationResponse:
        return this.#notified(bytes, at + 5, next)
      case BACKEND.copyOutResponse:
        if (next - at < 8) throw broken('it sent an unreadable CopyOutResponse')
        this.#answers.copyOut(bytes, at + 5)
        return undefined
      case BACKEND.copyDone:
        this.#bytes += this.#answers.copy?.end(this.#chunk, at) ?? 0
        return undefined
      case BACKEND.parameterDescription:
        return undefined
      default:
        throw broken(`it sent a message of type 0x${type.toString(16)}, which has no place here`)
    }
  }

  /** CommandComplete, and what stands in its place. The tag's last word is the number of rows, where there is one. */
  #completed(completed: Tag): void {
    const { text: tag, rows } = completed
    const { inFlight, copy, names } = this.#state
    copy.open = false
    copy.ignoredSyncs = 0
    const { named } = inFlight
    this.#answers.ended()
    if (inFlight.kind === ENTRY.execute) {
      this.#record(tag, rows, undefined)
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
    const { inFlight, names, bareNames, copy } = this.#state
    if (inFlight.skipping) this.#dropToSync()
    if (inFlight.kind === ENTRY.query) {
      const { named } = inFlight
      // Left over when the PREPARE in it failed or never came to run.
      if (named !== undefined) names.discard(named)
      this.#record(this.#tag.text, this.#rows, this.#sqlstate)
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
    this.#answers.ready(status === 0x49)
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
    const { inFlight, copy } = this.#state
    copy.open = false
    const fields = decodeErrorFields(bytes, at + 5, next)
    const sqlstate = fields.get('C') ?? ''
    const { denied } = inFlight
    const replacement =
      denied !== undefined && sqlstate === '42601' && fields.get('M')?.includes(denied.marker)
        ? denied.response
        : undefined
    const shown = replacement === undefined ? sqlstate : (denied?.sqlstate ?? '42501')
    const instead = replacement ?? this.#answers.text(BACKEND.errorResponse, bytes, at + 5, next)
    this.#answers.ended()
    if (inFlight.kind === ENTRY.query) {
      this.#sqlstate = shown
      return instead
    }
    if (inFlight.kind !== undefined && inFlight.number >= 0) this.#record('', 0, shown)
    this.#dropToSync()
    this.#bytes = 0
    return instead
  }

  /** What came back for the oldest entry. */
  #record(tag: string, rows: number, sqlstate: string | undefined): void {
    const { inFlight, guard } = this.#state
    const masked = this.#answers.take()
    guard.recorder.result(inFlight.number, tag, rows, this.#bytes, this.#elapsed(), sqlstate, masked)
  }

  /** RowDescription or NoData: where the gateway has asked itself, the client is not told. */
  #describedAs(size: number): Buffer | undefined {
    const { inFlight } = this.#state
    if (inFlight.kind !== ENTRY.describe) return undefined
    const { expected } = inFlight
    inFlight.shift()
    if (expected?.kind !== 'describe' || !expected.isOurs) return undefined
    this.#bytes -= size
    return NOTHING
  }

  /** NotificationResponse: Int32(process) String(channel) String(payload). A payload may be what a statement has read. */
  #notified(bytes: Buffer, start: number, end: number): Buffer | undefined {
    if (this.#state.guard.hidden === undefined) return undefined
    const channel = end - start < 4 ? undefined : readCString(bytes, start + 4, end)
    if (channel === undefined) throw broken('it sent an unreadable NotificationResponse')
    return encodeNotification(bytes.readInt32BE(start), channel.text, '')
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
