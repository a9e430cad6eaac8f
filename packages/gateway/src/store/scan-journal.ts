import type { SessionRow } from '../recording/ports.ts'

/** What a stretch of the journal adds to the store. Counts are additions. */
export interface Digest {
  readonly starts: readonly StartedSession[]
  readonly sessions: ReadonlyMap<string, SessionChange>
  /** `event` is an AuditEvent as JSON. */
  readonly audit: readonly { readonly at: number; readonly event: string }[]
  /** Lines that are not ours: damaged by a crash of the host. */
  readonly damaged: number
}

/** As `SessionRow`; dates as epoch milliseconds. */
export type StartedSession = Omit<
  SessionRow,
  'startedAt' | 'endedAt' | 'endReason' | 'statements' | 'denied' | 'rows' | 'bytes'
> & { readonly startedAt: number }

export interface SessionChange {
  readonly firstN: number
  lastN: number
  /** Epoch milliseconds. */
  lastAt: number
  /** Its lines, as they were written and in that order: from, to, from, to, … in the bytes that were scanned. */
  readonly ranges: number[]
  statements: number
  denied: number
  rows: number
  bytes: number
  lease: { readonly id: string; readonly handle: string } | undefined
  end: { readonly at: number; readonly reason: string } | undefined
}

const NEWLINE = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const CLOSE = 0x7d
const SESSION = Buffer.from('{"s":"')
const AUDIT = Buffer.from('{"a":')
const NUMBER = Buffer.from(',"n":')
const AT = Buffer.from(',"at":')
const KIND = Buffer.from(',"k":"')
const DENIED = Buffer.from(',"deny":1')
const OF = Buffer.from(',"of":')
const ROWS = Buffer.from(',"rows":')
const BYTES = Buffer.from(',"bytes":')
const STATEMENT = Buffer.from('statement"')
const RESULT = Buffer.from('result"')
const START = Buffer.from('start"')
const LEASE = Buffer.from('lease"')
const END = Buffer.from('end"')

/** Sessions that write at the same time are found without their ids being made strings. */
const RECENT = 256
/** Bytes of an id that say where it is looked for. */
const HASHED = 4

/** Ids are shorter; a line in which none ends by here is damaged. */
const MAX_ID = 64

/**
 * Sorts whole journal lines by session and counts. Tens of thousands of lines a second pass here, so a line's bytes are
 * looked at, not parsed: we write them ourselves, with `s`, `n`, `at` and `k` first, and in results `of`, `rows` and
 * `bytes` next. Only `start`, `lease` and `end`, once per session each, are parsed.
 */
export class JournalScan {
  readonly #bytes: Buffer
  readonly #starts: StartedSession[] = []
  readonly #sessions = new Map<string, SessionChange>()
  readonly #audit: { at: number; event: string }[] = []
  /** Where the crash of a host has left zeros, every line is looked through for them; otherwise none is. */
  readonly #hasZeros: boolean
  /** Sessions of lines before, and where their ids are: most lines are of one of them. */
  readonly #recent: (
    | { readonly id: number; readonly length: number; readonly change: SessionChange }
    | undefined
  )[] = Array.from({ length: RECENT })
  #damaged = 0
  /** The number that `#digits` read last. */
  #number = 0

  /** `bytes` ends with a newline. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#hasZeros = bytes.includes(0)
  }

  /** What all its lines come to. */
  digest(): Digest {
    const bytes = this.#bytes
    for (let from = 0; from < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, from)
      const to = newline === -1 ? bytes.length : newline
      if (to > from && !this.#line(from, to)) this.#damaged++
      from = to + 1
    }
    return { starts: this.#starts, sessions: this.#sessions, audit: this.#audit, damaged: this.#damaged }
  }

  #line(from: number, to: number): boolean {
    if (this.#bytes[to - 1] !== CLOSE) return false
    if (this.#hasZeros && this.#bytes.subarray(from, to).includes(0)) return false
    if (this.#has(SESSION, from)) return this.#sessionLine(from, to)
    return this.#has(AUDIT, from) && this.#auditLine(from, to)
  }

  #auditLine(from: number, to: number): boolean {
    const line = this.#bytes.toString('utf8', from, to)
    const at = /,"at":(\d+)\}$/.exec(line)
    if (at === null) return false
    this.#audit.push({ at: Number(at[1]), event: line.slice(AUDIT.length, at.index) })
    return true
  }

  /** `{"s":"<id>","n":<n>,"at":<ms>,"k":"<kind>",…}` */
  #sessionLine(from: number, to: number): boolean {
    const bytes = this.#bytes
    const idStart = from + SESSION.length
    let idEnd = idStart
    while (bytes[idEnd] !== QUOTE) if (++idEnd - idStart > MAX_ID) return false
    if (!this.#has(NUMBER, idEnd + 1)) return false
    const nEnd = this.#digits(idEnd + 1 + NUMBER.length)
    const n = this.#number
    if (!this.#has(AT, nEnd)) return false
    const atEnd = this.#digits(nEnd + AT.length)
    const at = this.#number
    if (!this.#has(KIND, atEnd)) return false
    const kind = atEnd + KIND.length

    const isRare = this.#has(START, kind) || this.#has(LEASE, kind) || this.#has(END, kind)
    const rare = isRare ? parsed(bytes.toString('utf8', from, to)) : undefined
    if (rare === null) return false
    const change = this.#changeOf(idStart, idEnd, n)
    const { ranges } = change
    // Lines that follow each other are one range.
    if (ranges.at(-1) === from) ranges[ranges.length - 1] = to + 1
    else ranges.push(from, to + 1)
    change.lastN = n
    change.lastAt = at
    if (this.#has(STATEMENT, kind)) {
      change.statements++
      if (this.#has(DENIED, kind + STATEMENT.length)) change.denied++
    } else if (this.#has(RESULT, kind)) {
      this.#result(change, kind + RESULT.length)
    } else if (rare !== undefined) {
      if (rare.session !== undefined) this.#starts.push(rare.session)
      if (rare.lease !== undefined) change.lease = { id: rare.lease, handle: rare.handle ?? '' }
      if (rare.reason !== undefined) change.end = { at, reason: rare.reason }
    }
    return true
  }

  /** `,"of":<n>,"rows":<rows>,"bytes":<bytes>,…` */
  #result(change: SessionChange, start: number): void {
    if (!this.#has(OF, start)) return
    const ofEnd = this.#digits(start + OF.length)
    if (!this.#has(ROWS, ofEnd)) return
    const rowsEnd = this.#digits(ofEnd + ROWS.length)
    change.rows += this.#number
    if (!this.#has(BYTES, rowsEnd)) return
    this.#digits(rowsEnd + BYTES.length)
    change.bytes += this.#number
  }

  #changeOf(idStart: number, idEnd: number, n: number): SessionChange {
    const length = idEnd - idStart
    const place = this.#placeOf(idStart, idEnd)
    const known = this.#recent[place]
    if (known !== undefined && known.length === length && this.#same(known.id, idStart, length)) {
      return known.change
    }
    const id = this.#bytes.toString('latin1', idStart, idEnd)
    let change = this.#sessions.get(id)
    if (change === undefined) {
      change = {
        firstN: n,
        lastN: n,
        lastAt: 0,
        ranges: [],
        statements: 0,
        denied: 0,
        rows: 0,
        bytes: 0,
        lease: undefined,
        end: undefined,
      }
      this.#sessions.set(id, change)
    }
    this.#recent[place] = { id: idStart, length, change }
    return change
  }

  /** Ids are random at their end. */
  #placeOf(idStart: number, idEnd: number): number {
    let hash = 0
    for (let at = Math.max(idStart, idEnd - HASHED); at < idEnd; at++)
      hash = hash * 31 + (this.#bytes[at] ?? 0)
    return hash % RECENT
  }

  #same(one: number, other: number, length: number): boolean {
    const bytes = this.#bytes
    for (let i = 0; i < length; i++) if (bytes[one + i] !== bytes[other + i]) return false
    return true
  }

  #has(expected: Buffer, at: number): boolean {
    const bytes = this.#bytes
    for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false
    return true
  }

  /** Reads digits into `#number`. @returns where they end */
  #digits(from: number): number {
    let value = 0
    let at = from
    for (; ; at++) {
      const digit = (this.#bytes[at] ?? COMMA) - 48
      if (!(digit >= 0 && digit <= 9)) break
      value = value * 10 + digit
    }
    this.#number = value
    return at
  }
}

interface RareLine {
  readonly session?: StartedSession
  readonly lease?: string
  readonly handle?: string
  readonly reason?: string
}

function parsed(line: string): RareLine | null {
  try {
    const rare: RareLine = JSON.parse(line)
    return rare
  } catch {
    return null
  }
}
