import { SallyportError } from '../../access/errors.ts'
import type { MaskedColumn, ResultMasks } from '../../access/masking.ts'
import type { FrontendState } from './frontend-state.ts'
import { type Described, ENTRY, type Expected, forgetDescription } from './in-flight.ts'
import { copyClosed, CopyMasker } from './mask-copy.ts'
import { planCopy, planRows } from './mask-plan.ts'
import { RowMasker } from './mask-rows.ts'
import { withoutTexts } from './mask-texts.ts'
import type { Portal } from './named-statements.ts'
import { decodeRowDescription, type ResultColumn } from './row-description.ts'

/**
 * What has to be done to the answers that are coming in. Masks belong to the statement that is being answered: of a Query
 * to the one whose turn it is, of an Execute to its portal.
 */
export class AnswerMasker {
  readonly #state: Pick<FrontendState, 'guard' | 'inFlight' | 'sessionId'>
  /** Whether `#rows` is that of the result that is coming in. */
  #isPlanned = false
  #rows: RowMasker | undefined
  #copy: CopyMasker | undefined
  /** Which statement of the current Query is being answered. */
  #statement = 0
  #masked: MaskedColumn[] = []
  /** What touched masked columns since the last ReadyForQuery, and in this transaction, whose end may still fail for it. */
  #batchHides = false
  #transactionHides = false
  #number = 0

  constructor(state: Pick<FrontendState, 'guard' | 'inFlight' | 'sessionId'>) {
    this.#state = state
  }

  /** To be called for every message but rows, before anything is done with it. */
  message(): void {
    const { inFlight } = this.#state
    if (inFlight.number >= 0) this.#number = inFlight.number
    const { expected } = inFlight
    if (expected !== undefined && hidesTexts(expected)) {
      this.#batchHides = true
      this.#transactionHides = true
    }
  }

  /**
   * For a row of the result that is coming in; undefined: it goes out as it came.
   * @throws SallyportError MASKING_FAILED
   */
  get rows(): RowMasker | undefined {
    if (!this.#isPlanned) {
      this.#isPlanned = true
      this.#rows = this.#plan()
    }
    return this.#rows
  }

  get copy(): CopyMasker | undefined {
    return this.#copy
  }

  /**
   * RowDescription of a simple query's result, or the answer to a Describe.
   * @throws SallyportError MASKING_FAILED, WIRE_MALFORMED
   */
  described(bytes: Buffer, start: number, end: number): void {
    const { inFlight, guard } = this.#state
    const { expected } = inFlight
    if (inFlight.kind === ENTRY.describe) {
      if (expected?.kind !== 'describe') return
      // Most sessions have nothing hidden from them. When that changes, the target is asked again.
      if (guard.hidden === undefined && !masksAny(expected)) forgetDescription(expected)
      else keep(expected, decodeRowDescription(bytes, start, end))
      return
    }
    this.#isPlanned = true
    const masks = this.#current()
    this.#rows =
      masks === undefined && guard.hidden === undefined
        ? undefined
        : this.#masker(masks, decodeRowDescription(bytes, start, end))
  }

  /** NoData, in answer to a Describe. */
  hasNoRows(): void {
    const { expected } = this.#state.inFlight
    if (expected?.kind === 'describe') keep(expected, [])
  }

  /**
   * CopyOutResponse: Int8(format) Int16(columns) Int16[columns].
   * @throws SallyportError MASKING_FAILED
   */
  copyOut(bytes: Buffer, start: number): void {
    const masks = this.#current()
    if (masks === undefined) {
      this.#copy = undefined
      return
    }
    const plan = planCopy(masks, bytes.readUInt16BE(start + 1))
    if (plan === undefined) return
    const format = this.#copyFormat()
    if (format === undefined) throw copyClosed('it is not known how its rows are written')
    if (format.format === 'closed') throw copyClosed(format.because)
    if (bytes[start] !== 0) throw copyClosed('it is in the binary format')
    this.#copy = new CopyMasker(plan, format)
  }

  /** A statement was answered, or as much of it as was asked for. */
  ended(): void {
    if (this.#rows !== undefined) this.#masked.push(...this.#rows.counts.take())
    if (this.#copy !== undefined) this.#masked.push(...this.#copy.counts.take())
    this.#rows = undefined
    this.#copy = undefined
    this.#isPlanned = false
    this.#statement++
  }

  /** All that a Query or an Execute was answered with is through. @returns what was masked in it; undefined for nothing */
  take(): readonly MaskedColumn[] | undefined {
    this.#statement = 0
    if (this.#masked.length === 0) return undefined
    const masked = this.#masked
    this.#masked = []
    return masked
  }

  /** ReadyForQuery. */
  ready(isIdle: boolean): void {
    this.#batchHides = false
    if (isIdle) this.#transactionHides = false
  }

  /** The target may report a setting that a statement has set to what it read. */
  get hidesSettings(): boolean {
    return this.#batchHides
  }

  /** @returns the error or notice without what may quote masked values; undefined: as it came */
  text(type: number, bytes: Buffer, start: number, end: number): Buffer | undefined {
    // Parsing looks at the statement and the catalog, and at no row.
    if (!this.#transactionHides || this.#state.inFlight.kind === ENTRY.parse) return undefined
    return withoutTexts(type, bytes, start, end, `${this.#state.sessionId}.${this.#number}`)
  }

  /** The masks of the statement that is being answered. */
  #current(): ResultMasks | undefined {
    const { expected } = this.#state.inFlight
    if (expected === undefined || expected.kind === 'describe' || expected.masks === undefined)
      return undefined
    const masks = expected.masks[expected.kind === 'query' ? this.#statement : 0]
    if (masks === undefined) throw closed('the target has answered more statements than were read')
    return masks
  }

  #plan(): RowMasker | undefined {
    const { inFlight, guard } = this.#state
    const { expected } = inFlight
    if (expected?.kind === 'portal') {
      const columns = columnsOf(expected)
      if (columns === undefined) throw closed('the target has not said what it is made of')
      return this.#masker(this.#current(), columns)
    }
    if (inFlight.kind === ENTRY.query && (guard.hidden !== undefined || expected !== undefined))
      throw closed('the target has not said what it is made of')
    return undefined
  }

  #masker(masks: ResultMasks | undefined, columns: readonly ResultColumn[]): RowMasker | undefined {
    const { guard } = this.#state
    const plan = planRows(masks, columns, guard.hidden, guard.catalog)
    return plan && new RowMasker(plan)
  }

  #copyFormat() {
    const { expected } = this.#state.inFlight
    if (expected?.kind === 'query') return expected.copies[this.#statement]
    return expected?.kind === 'portal' ? expected.prepared.known.session.copies[0] : undefined
  }
}

function hidesTexts(expected: Expected): boolean {
  switch (expected.kind) {
    case 'query':
      return anyHides(expected.masks)
    case 'portal':
      return anyHides(expected.masks ?? expected.prepared.verdict.masks)
    case 'describe':
      return anyHides((expected.portal?.prepared ?? expected.prepared)?.verdict.masks)
  }
}

/** Whether there are masks on what is described. */
function masksAny({ prepared, portal }: Described): boolean {
  const masks = portal?.masks ?? (portal?.approved ?? portal?.prepared ?? prepared)?.verdict.masks
  return masks !== undefined
}

function anyHides(masks: readonly ResultMasks[] | undefined): boolean {
  return masks !== undefined && masks.some((one) => one.hidesTexts)
}

function keep({ prepared, portal }: Described, columns: readonly ResultColumn[]): void {
  if (portal !== undefined) portal.result.columns = columns
  if (prepared !== undefined) prepared.result.columns = columns
}

/** A portal's result, by its own description or by that of its statement and the formats that Bind asked for. */
function columnsOf({ result, formats, prepared }: Portal): readonly ResultColumn[] | undefined {
  if (result.columns !== undefined) return result.columns
  const { columns } = prepared.result
  if (columns === undefined || formats === undefined) return undefined
  return columns.map((column, at) => ({
    ...column,
    format: (formats.length === 1 ? formats[0] : formats[at]) ?? 0,
  }))
}

function closed(why: string): SallyportError {
  return new SallyportError('MASKING_FAILED', `the result was closed: ${why}`)
}
