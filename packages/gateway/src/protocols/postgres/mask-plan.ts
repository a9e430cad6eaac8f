import { SallyportError } from '../../access/errors.ts'
import type { Catalog } from '../../access/catalog.ts'
import type { ByteMask, HiddenColumns, Mask, MaskedColumn, ResultMasks } from '../../access/masking.ts'
import { byteMasker, type MaskValue, valueDetector, valueMasker } from './mask-value.ts'
import type { ResultColumn } from './row-description.ts'
import { typeNamed, typeOfOid, type ValueType } from './value-types.ts'

/** What happens to the values of one column of a result. */
export interface ColumnPlan {
  readonly name: string
  readonly mask: Mask
  readonly value: MaskValue
  /** The quicker way to the same, where there is one. */
  readonly bytes: ByteMask | undefined
}

/** What happens to each column of a result, by position. */
export type RowPlan = readonly (ColumnPlan | undefined)[]

/**
 * Holds what the target says of a result against what was decided.
 * @returns undefined when nothing is to be done to it
 * @throws SallyportError MASKING_FAILED when it is another result than the one that was decided on
 */
export function planRows(
  masks: ResultMasks | undefined,
  columns: readonly ResultColumn[],
  hidden: HiddenColumns | undefined,
  catalog: Catalog,
): RowPlan | undefined {
  if (masks !== undefined) checkWidth(masks, columns.length)
  const plan = columns.map((column, at) => {
    const mask = maskAt(masks, at)
    if (mask === undefined && hidden?.has(column.relation, column.number) === true)
      throw closed(`column ${at + 1} is one that is masked, and was not read to be one`)
    checkOrigin(masks, column, at, catalog)
    return planColumn(column.name, mask, masks?.detector, typeOfOid(column.type), column.format)
  })
  return plan.some((column) => column !== undefined) ? plan : undefined
}

/**
 * The same for COPY, which says how many columns there are and not what they are.
 * @returns undefined when nothing is to be done to it
 */
export function planCopy(masks: ResultMasks, width: number): RowPlan | undefined {
  checkWidth(masks, width)
  const plan = Array.from({ length: width }, (_, at) => {
    const origin = masks.origins?.[at]
    const type: ValueType = origin === undefined ? { form: 'other' } : typeNamed(origin.type)
    return planColumn(`column ${at + 1}`, maskAt(masks, at), masks.detector, type, 0)
  })
  return plan.some((column) => column !== undefined) ? plan : undefined
}

function maskAt(masks: ResultMasks | undefined, at: number): Mask | undefined {
  if (masks === undefined) return undefined
  return at < masks.columns.length ? masks.columns[at] : masks.beyond
}

function planColumn(
  name: string,
  mask: Mask | undefined,
  detector: Mask | undefined,
  type: ValueType,
  format: number,
): ColumnPlan | undefined {
  if (mask !== undefined) {
    return { name, mask, value: valueMasker(mask, type, format), bytes: byteMasker(mask, type, format) }
  }
  if (detector === undefined) return undefined
  const value = valueDetector(detector, type, format)
  return value && { name, mask: detector, value, bytes: undefined }
}

/** Where any width may come, there is a mask for what is beyond. */
function checkWidth({ columns, beyond }: ResultMasks, width: number): void {
  if (width === columns.length || beyond !== undefined) return
  throw closed(`it has ${width} columns, and was read to have ${columns.length}`)
}

/** A view's column is none of the table's that it shows: of those the target says nothing. */
function checkOrigin(
  masks: ResultMasks | undefined,
  column: ResultColumn,
  at: number,
  catalog: Catalog,
): void {
  const origin = masks?.origins?.[at]
  if (origin === undefined || column.relation === 0) return
  if (origin.relation === column.relation && origin.number === column.number) return
  const relation = catalog.relations.find(({ oid }) => oid === column.relation)
  if (relation?.kind === 'view' || relation?.kind === 'materialized-view') return
  throw closed(`column ${at + 1} comes from another place than it was read to come from`)
}

function closed(why: string): SallyportError {
  return new SallyportError('MASKING_FAILED', `the result was closed: ${why}`, {
    hint: 'ask for columns of tables by their names; the recording has the statement',
  })
}

/** A value could not be masked. What was wrong with it is for the log: it may say what it was. */
export function maskingFailed(cause: unknown): SallyportError {
  if (cause instanceof SallyportError) return cause
  return new SallyportError('MASKING_FAILED', 'a value could not be masked, so its row was not sent', {
    hint: 'leave the masked columns out; the operator has to look at how their class is masked',
    cause,
  })
}

/** Counts what was masked, by position in the plan. */
export class MaskedCounts {
  readonly #plan: RowPlan
  readonly #values: Float64Array

  constructor(plan: RowPlan) {
    this.#plan = plan
    this.#values = new Float64Array(plan.length)
  }

  add(at: number): void {
    this.#values[at] = (this.#values[at] ?? 0) + 1
  }

  /** What has been counted since the last time. */
  take(): MaskedColumn[] {
    const masked: MaskedColumn[] = []
    for (const [at, column] of this.#plan.entries()) {
      const values = this.#values[at] ?? 0
      if (column === undefined || values === 0) continue
      const { dataClass, method } = column.mask
      masked.push({ column: column.name, dataClass, method, values })
    }
    this.#values.fill(0)
    return masked
  }
}
