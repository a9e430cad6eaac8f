import type { SourceColumn } from '../../access/data-flow.ts'
import type { RelationUse } from './relation-uses.ts'

/** Columns that a value can depend on. Never changed once made: values share them. */
export type Sources = ReadonlySet<SourceColumn> | 'anything'

export const NO_SOURCES: Sources = new Set<SourceColumn>()

/** The smaller set is looked up in the larger, which is shared where nothing is added. */
export function union(one: Sources, other: Sources): Sources {
  if (one === other) return one
  if (one === 'anything' || other === 'anything') return 'anything'
  const [small, large] = one.size < other.size ? [one, other] : [other, one]
  let all: Set<SourceColumn> | undefined
  for (const source of small) {
    if (large.has(source)) continue
    all ??= new Set(large)
    all.add(source)
  }
  return all ?? large
}

export function unionAll(all: Iterable<Sources>): Sources {
  let sources: Sources = NO_SOURCES
  for (const one of all) sources = union(sources, one)
  return sources
}

export function isEmpty(sources: Sources): boolean {
  return sources !== 'anything' && sources.size === 0
}

export function sizeOf(sources: Sources): number {
  return sources === 'anything' ? 1 : sources.size
}

/** What is known of the value of an expression. */
export interface Value {
  readonly sources: Sources
  /** A column's value, unchanged. */
  readonly isPlain: boolean
  /** Made of constants and parameters alone: the same for every row. */
  readonly isConstant: boolean
  /** A definition as PostgreSQL writes it out, whole. */
  readonly isDefinition?: true
  /** It is these parameters as they are. */
  readonly parameters: readonly number[]
  /** Of a composite value, as far as its columns are known. */
  readonly fields?: readonly ResultColumn[]
  /** Of the elements of an array of composite values, as far as their columns are known. */
  readonly elements?: readonly ResultColumn[]
  /** How many parts it has hangs on no value of a column, unless that is such a value itself: `ARRAY[a, b]`, `to_jsonb(c)`. */
  readonly keepsShape?: boolean
}

export interface ResultColumn {
  readonly name: string
  readonly value: Value
}

/** The result of a query, or of whatever else stands in FROM. */
export interface Result {
  readonly columns: readonly ResultColumn[]
  /** It has, or may have, further columns anywhere between these, with values of these sources. */
  readonly open?: Sources
  /** The relations in its FROM, whose rows FOR UPDATE outside of it locks. */
  readonly locks?: readonly RelationUse[]
}

const NONE: readonly number[] = []

/** A value that tells of nothing that is stored. */
export const CLEAN: Value = { sources: NO_SOURCES, isPlain: false, isConstant: false, parameters: NONE }
export const CONSTANT: Value = { sources: NO_SOURCES, isPlain: false, isConstant: true, parameters: NONE }
export const ANYTHING: Value = { sources: 'anything', isPlain: false, isConstant: false, parameters: NONE }

/** Something made out of values of these sources. */
export function madeOf(sources: Sources): Value {
  if (sources === 'anything') return ANYTHING
  return sources.size === 0 ? CLEAN : { sources, isPlain: false, isConstant: false, parameters: NONE }
}

/** Whether taking it apart tells no more than how many parts a stored value has: that much is let be known. */
export function tellsOnlyShape(value: Value): boolean {
  const { isPlain, isConstant, fields, keepsShape, sources } = value
  return isPlain || isConstant || fields !== undefined || keepsShape === true || isEmpty(sources)
}

/** An array of these values. One of arrays has as many elements as all of them together. */
export function arrayOf(values: readonly Value[]): Value {
  const sources = unionAll(values.map((value) => value.sources))
  const [first] = values
  const elements = first?.fields?.map(({ name }) => ({ name, value: madeOf(sources) }))
  return {
    ...madeOf(sources),
    isConstant: values.every(({ isConstant }) => isConstant),
    keepsShape: values.every(tellsOnlyShape),
    ...(elements === undefined
      ? {}
      : { elements: values.length === 1 ? (first?.fields ?? elements) : elements }),
  }
}

/** Either of two values, as the arms of a UNION give them: not constant any more. */
export function either(one: Value, other: Value): Value {
  return anyOf([one, other])
}

/** Any of many values, as the rows of VALUES give them. */
export function anyOf(values: readonly Value[]): Value {
  const [first, ...others] = values
  if (first === undefined) return CLEAN
  if (others.length === 0) return first
  const sources = unionAll(values.map((value) => value.sources))
  const size = sizeOf(sources)
  return {
    sources,
    isPlain: sources !== 'anything' && values.every((one) => one.isPlain && sizeOf(one.sources) === size),
    isConstant: false,
    parameters: [...new Set(values.flatMap(({ parameters }) => parameters))],
  }
}

/** Everything that a result's values can depend on. */
export function sourcesOf({ columns, open }: Result): Sources {
  return union(unionAll(columns.map(({ value }) => value.sources)), open ?? NO_SOURCES)
}
