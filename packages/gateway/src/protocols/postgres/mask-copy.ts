import { SallyportError } from '../../access/errors.ts'
import type { CopyFormat } from '../sql/copy-format.ts'
import type { FrameWriter } from './frame-writer.ts'
import { MaskedCounts, maskingFailed, type RowPlan } from './mask-plan.ts'
import { MAX_MASKED_ROW, rowTooLong } from './masked-row-bound.ts'
import { BACKEND } from './messages.ts'

type OpenFormat = Exclude<CopyFormat, { format: 'closed' }>

const LINE_FEED = 0x0a
const BACKSLASH = 0x5c

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
  }

  /**
   * The bytes of one CopyData message; the rows that end in it are written as messages of their own.
   * @throws SallyportError MASKING_FAILED
   */
  data(bytes: Buffer, start: number, end: number, out: FrameWriter): void {
    const rest = this.#rest
    const all = rest === undefined ? bytes : Buffer.concat([rest, bytes.subarray(start, end)])
    const last = rest === undefined ? end : all.length
    let at = rest === undefined ? start : 0
    for (;;) {
      const next = this.#rowEnd(all, at, last)
      if (next === undefined) break
      this.#row(all, at, next - 1, true, out)
      at = next
    }
    if (last - at > MAX_MASKED_ROW) throw rowTooLong()
    this.#rest = at === last ? undefined : Buffer.from(all.subarray(at, last))
  }

  /** No more comes: what is left is a row without its line feed. */
  end(out: FrameWriter): void {
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined) this.#row(rest, 0, rest.length, false, out)
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

  #row(bytes: Buffer, start: number, end: number, hasLineFeed: boolean, out: FrameWriter): void {
    out.begin(BACKEND.copyData)
    if (this.#isHeader || this.#plan.length === 0) out.append(bytes, start, end)
    else this.#values(bytes, start, end, out)
    this.#isHeader = false
    if (hasLineFeed) out.text('\n', 1)
    out.end()
  }

  #values(bytes: Buffer, start: number, end: number, out: FrameWriter): void {
    let at = start
    let copied = start
    for (let column = 0; column < this.#plan.length; column++) {
      const next = this.#valueEnd(bytes, at, end)
      const isLast = column === this.#plan.length - 1
      if (isLast !== (next === end)) throw maskingFailed(new RangeError('a row has another number of values'))
      const written = this.#masked(column, bytes, at, next)
      if (written !== undefined) {
        out.append(bytes, copied, at)
        out.text(written, Buffer.byteLength(written))
        copied = next
      }
      at = next + 1
    }
    out.append(bytes, copied, end)
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

  /** What is written in place of a value; undefined: the value as it came. */
  #masked(column: number, bytes: Buffer, start: number, end: number): string | undefined {
    const planned = this.#plan[column]
    if (planned === undefined || this.#isNull(bytes, start, end)) return undefined
    let masked: ReturnType<typeof planned.value>
    try {
      if (this.#isWrittenPlainly(bytes, start, end)) masked = planned.value(bytes, start, end)
      else {
        const value = Buffer.from(this.#read(bytes.toString('utf8', start, end)))
        masked = planned.value(value, 0, value.length)
      }
    } catch (error) {
      throw maskingFailed(error)
    }
    if (masked === undefined) return undefined
    this.counts.add(column)
    if (masked === null) return this.#format.null
    return this.#write(
      typeof masked === 'string' ? masked : masked.toString('utf8'),
      bytes[start] === this.#quote,
    )
  }

  #isNull(bytes: Buffer, start: number, end: number): boolean {
    const length = this.#null.length
    if (end - start !== length) return false
    for (let at = 0; at < length; at++) if (bytes[start + at] !== this.#null[at]) return false
    return true
  }

  /** Without anything that stands for something else. */
  #isWrittenPlainly(bytes: Buffer, start: number, end: number): boolean {
    const special = this.#quote < 0 ? BACKSLASH : this.#quote
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
