import { SallyportError } from '../../access/errors.ts'
import type { CopyFormat } from '../sql/copy-format.ts'
import { FrameWriter } from './frame-writer.ts'
import { MaskedCounts, maskingFailed, type RowPlan } from './mask-plan.ts'
import { MAX_MASKED_ROW, rowTooLong } from './masked-row-bound.ts'
import { BACKEND } from './messages.ts'
import { RewrittenChunk } from './rewritten-chunk.ts'

type OpenFormat = Exclude<CopyFormat, { format: 'closed' }>

const LINE_FEED = 0x0a
const BACKSLASH = 0x5c
/** So far a value's end is looked for byte by byte: most are short, and a call costs as much. */
const NEAR = 24

/** What a backslash and a letter stand for in the text format; any other character stands for itself. */
const UNESCAPED: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }
/** What a text has to be written otherwise for. */
const SPECIAL = /[\b\f\n\r\t\v\\]/
const ESCAPED: Readonly<Record<string, string>> = {
  '\b': String.raw`\b`,
  '\f': String.raw`\f`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
  '\v': String.raw`\v`,
  '\\': String.raw`\\`,
}

/** Masks what COPY … TO STDOUT sends. Rows may be cut anywhere between CopyData messages; one goes out when it is whole. */
export class CopyMasker {
  readonly counts: MaskedCounts
  readonly #plan: RowPlan
  readonly #format: OpenFormat
  readonly #delimiter: number
  readonly #quote: number
  readonly #escape: number
  readonly #null: Buffer
  /** By column: what takes the place of any value, bare and where the value was in quotes. */
  readonly #constants: readonly (readonly [bare: Buffer, quoted: Buffer] | undefined)[]
  /** A star means nothing but itself, so that masks may write some where the value is. */
  readonly #starsArePlain: boolean
  /** Rows that are no messages of their own yet. */
  readonly #frames = new FrameWriter()
  /** Where the next byte is, of those that values are looked through for, and in which chunk they were looked for. */
  #seen: RewrittenChunk | undefined
  #seenNumber = 0
  #nextDelimiter = -1
  #nextSpecial = -1
  /** The beginning of a row whose end has not come. */
  #rest: Buffer | undefined
  /** The next row has the names of the columns. */
  #isHeader: boolean

  constructor(plan: RowPlan, format: OpenFormat) {
    this.#plan = plan
    this.#format = format
    this.counts = new MaskedCounts(plan)
    this.#delimiter = format.delimiter.charCodeAt(0)
    this.#quote = format.format === 'csv' ? format.quote.charCodeAt(0) : -1
    this.#escape = format.format === 'csv' ? format.escape.charCodeAt(0) : -1
    this.#null = Buffer.from(format.null)
    this.#isHeader = format.header
    const { delimiter, null: nullText } = format
    const quotes = format.format === 'csv' ? format.quote + format.escape : ''
    this.#starsArePlain = !`${delimiter}${nullText}${quotes}`.includes('*')
    this.#constants = plan.map((column) => {
      if (column?.bytes?.form !== 'constant') return undefined
      const { value } = column.bytes
      return [this.#written(value, false), this.#written(value, true)]
    })
  }

  /**
   * Masks one CopyData message, `[at, next)` of the chunk. PostgreSQL sends a row in each, which is masked where it is;
   * otherwise the rows that end in it are written as messages of their own.
   * @returns how much longer it has become
   * @throws SallyportError MASKING_FAILED: nothing of the chunk may go out then
   */
  data(bytes: Buffer, at: number, next: number, chunk: RewrittenChunk): number {
    const start = at + 5
    if (this.#rest === undefined && this.#rowEnd(bytes, start, next) === next) {
      const isHeader = this.#isHeader
      this.#isHeader = false
      if (isHeader || this.#plan.length === 0) return 0
      const head = chunk.offset(at)
      const longer = this.#values(bytes, start, next - 1, chunk)
      if (longer !== 0) chunk.int32(head + 1, next - at - 1 + longer)
      return longer
    }
    this.#pieces(bytes, start, next)
    return this.#putFrames(chunk, at, next)
  }

  /** No more comes: what is left is a row without its line feed, and goes in front of what begins at `at`. */
  end(chunk: RewrittenChunk, at: number): number {
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined) this.#row(rest, 0, rest.length, false)
    return this.#putFrames(chunk, at, at)
  }

  #putFrames(chunk: RewrittenChunk, at: number, next: number): number {
    const frames = this.#frames.take()
    chunk.replaceBy(at, next, frames)
    return frames.length - (next - at)
  }

  #pieces(bytes: Buffer, start: number, end: number): void {
    const rest = this.#rest
    const all = rest === undefined ? bytes : Buffer.concat([rest, bytes.subarray(start, end)])
    const last = rest === undefined ? end : all.length
    let at = rest === undefined ? start : 0
    for (;;) {
      const next = this.#rowEnd(all, at, last)
      if (next === undefined) break
      this.#row(all, at, next - 1, true)
      at = next
    }
    if (last - at > MAX_MASKED_ROW) throw rowTooLong()
    this.#rest = at === last ? undefined : Buffer.from(all.subarray(at, last))
  }

  /** Just after the line feed that ends the row; in CSV one within quotes does not. */
  #rowEnd(bytes: Buffer, start: number, end: number): number | undefined {
    if (this.#format.format === 'text') {
      const at = bytes.indexOf(LINE_FEED, start)
      return at < 0 || at >= end ? undefined : at + 1
    }
    let isQuoted = false
    for (let at = start; at < end; at++) {
      const byte = bytes[at]
      if (isQuoted && byte === this.#escape && this.#escape !== this.#quote) at++
      else if (byte === this.#quote) isQuoted = !isQuoted
      else if (byte === LINE_FEED && !isQuoted) return at + 1
    }
    return undefined
  }

  #row(bytes: Buffer, start: number, end: number, hasLineFeed: boolean): void {
    const out = this.#frames
    out.begin(BACKEND.copyData)
    if (this.#isHeader || this.#plan.length === 0) out.append(bytes, start, end)
    else {
      const row = new RewrittenChunk()
      const own = Buffer.from(bytes.subarray(start, end))
      row.begin(own, 0)
      this.#values(own, 0, own.length, row)
      row.end(own.length)
      out.append(row.bytes, row.start, row.to)
    }
    this.#isHeader = false
    if (hasLineFeed) out.text('\n', 1)
    out.end()
  }

  /** @returns how much longer they have become */
  #values(bytes: Buffer, start: number, end: number, chunk: RewrittenChunk): number {
    const plan = this.#plan
    if (this.#seen !== chunk || this.#seenNumber !== chunk.number) {
      this.#seen = chunk
      this.#seenNumber = chunk.number
      this.#nextSpecial = -1
      this.#nextDelimiter = -1
    }
    const isPlain = this.#specialFrom(bytes, start) >= end
    let longer = 0
    let at = start
    for (let column = 0; column < plan.length; column++) {
      const next = isPlain ? this.#delimiterFrom(bytes, at, end) : this.#valueEnd(bytes, at, end)
      const isLast = column === plan.length - 1
      if (isLast !== (next === end)) throw maskingFailed(new RangeError('a row has another number of values'))
      if (plan[column] !== undefined && !this.#isNull(bytes, at, next))
        longer += this.#mask(column, bytes, at, next, chunk)
      at = next + 1
    }
    return longer
  }

  /** Where the next quote or backslash is, in this row or behind it. */
  #specialFrom(bytes: Buffer, start: number): number {
    if (this.#nextSpecial < start) {
      const at = bytes.indexOf(this.#special, start)
      this.#nextSpecial = at < 0 ? bytes.length : at
    }
    return this.#nextSpecial
  }

  get #special(): number {
    return this.#quote < 0 ? BACKSLASH : this.#quote
  }

  /**
   * Where a value ends in a row without quotes and backslashes. What is found behind the row is remembered: a chunk is
   * looked through once, however its rows are made.
   */
  #delimiterFrom(bytes: Buffer, start: number, end: number): number {
    if (this.#nextDelimiter < start) {
      const near = Math.min(end, start + NEAR)
      let at = start
      while (at < near && bytes[at] !== this.#delimiter) at++
      if (at === end) return end
      if (at === near) at = bytes.indexOf(this.#delimiter, at)
      this.#nextDelimiter = at < 0 ? bytes.length : at
    }
    return Math.min(this.#nextDelimiter, end)
  }

  /** Where the value that begins at `start` ends: at its delimiter, or with the row. */
  #valueEnd(bytes: Buffer, start: number, end: number): number {
    if (this.#format.format === 'text') {
      for (let at = start; at < end; at++) {
        if (bytes[at] === BACKSLASH) at++
        else if (bytes[at] === this.#delimiter) return at
      }
      return end
    }
    let isQuoted = false
    for (let at = start; at < end; at++) {
      const byte = bytes[at]
      if (isQuoted && byte === this.#escape && this.#escape !== this.#quote) at++
      else if (byte === this.#quote) isQuoted = !isQuoted
      else if (byte === this.#delimiter && !isQuoted) return at
    }
    return end
  }

  /** Masks one value that is not NULL. @returns how much longer it has become */
  #mask(column: number, bytes: Buffer, start: number, end: number, chunk: RewrittenChunk): number {
    const planned = this.#plan[column]
    if (planned === undefined) return 0
    const wasQuoted = bytes[start] === this.#quote
    const constant = this.#constants[column]
    if (constant !== undefined) {
      this.counts.add(column)
      const by = constant[wasQuoted ? 1 : 0]
      chunk.replaceBy(start, end, by)
      return by.length - (end - start)
    }
    let masked: ReturnType<typeof planned.value>
    try {
      if (this.#isWrittenPlainly(bytes, start, end)) {
        if (this.#starsArePlain && planned.bytes?.form === 'stars' && planned.bytes.star(bytes, start, end)) {
          this.counts.add(column)
          return 0
        }
        masked = planned.value(bytes, start, end)
      } else {
        const value = Buffer.from(this.#read(bytes.toString('utf8', start, end)))
        masked = planned.value(value, 0, value.length)
      }
    } catch (error) {
      throw maskingFailed(error)
    }
    if (masked === undefined) return 0
    this.counts.add(column)
    const by = this.#written(Buffer.isBuffer(masked) ? masked.toString('utf8') : masked, wasQuoted)
    chunk.replaceBy(start, end, by)
    return by.length - (end - start)
  }

  #written(value: string | null, wasQuoted: boolean): Buffer {
    return value === null ? this.#null : Buffer.from(this.#write(value, wasQuoted))
  }

  #isNull(bytes: Buffer, start: number, end: number): boolean {
    const length = this.#null.length
    if (end - start !== length) return false
    for (let at = 0; at < length; at++) if (bytes[start + at] !== this.#null[at]) return false
    return true
  }

  /** Without anything that stands for something else. */
  #isWrittenPlainly(bytes: Buffer, start: number, end: number): boolean {
    if (this.#nextSpecial >= end) return true
    const special = this.#special
    for (let at = start; at < end; at++) if (bytes[at] === special) return false
    return true
  }

  #read(raw: string): string {
    const { format } = this.#format
    if (format === 'text') {
      return raw.includes('\\')
        ? raw.replaceAll(/\\(.)/gs, (_, next: string) => UNESCAPED[next] ?? next)
        : raw
    }
    const { quote, escape } = this.#format
    if (!raw.includes(quote)) return raw
    let value = ''
    let isQuoted = false
    for (let at = 0; at < raw.length; at++) {
      const character = raw.charAt(at)
      const next = raw.charAt(at + 1)
      if (isQuoted && character === escape && (next === quote || next === escape)) {
        value += next
        at++
      } else if (character === quote) isQuoted = !isQuoted
      else value += character
    }
    return value
  }

  #write(value: string, wasQuoted: boolean): string {
    const { format, delimiter } = this.#format
    if (format === 'text') {
      if (!SPECIAL.test(value) && !value.includes(delimiter)) return value
      let text = ''
      for (const character of value)
        text += ESCAPED[character] ?? (character === delimiter ? `\\${character}` : character)
      return text
    }
    const { quote, escape } = this.#format
    const mustQuote =
      wasQuoted ||
      value === this.#format.null ||
      value === String.raw`\.` ||
      [delimiter, quote, '\n', '\r'].some((one) => value.includes(one))
    if (!mustQuote) return value
    let text = ''
    for (const character of value)
      text += character === quote || character === escape ? escape + character : character
    return quote + text + quote
  }
}

/** Says that masked data of a COPY cannot be told apart. */
export function copyClosed(because: string): SallyportError {
  return new SallyportError('MASKING_FAILED', `the COPY was closed: ${because}`, {
    hint: 'COPY as text or CSV, in UTF8',
  })
}
