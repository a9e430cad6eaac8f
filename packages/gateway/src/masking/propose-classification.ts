import { classByName } from './column-names.ts'
import { classOf, DEFAULT_CLASSES } from './default-classes.ts'
import type { DefaultClass } from './default-classes.ts'
import { detect, patternDetectors } from './detect/detectors.ts'
import type { Detector, Span } from './detect/span.ts'

/** A column of a table, and some of its values. */
export interface SampledColumn {
  readonly schema: string
  readonly table: string
  readonly column: string
  /** As `format_type` or the information schema writes it. */
  readonly type: string
  /** Values that are not NULL, as text; undefined when they could not be read. */
  readonly samples: readonly string[] | undefined
  /** What somebody else recognised in each of the samples, in addition to our own detectors. */
  readonly recognised?: readonly (readonly Span[])[]
}

export interface ProposedField {
  /** `schema.table.column`, as a Classification writes it. */
  readonly field: string
  readonly class: string
  /** Why, for whoever reviews it. */
  readonly because: string
  /** Name and values agree, or the values alone are beyond doubt; `possible`: only the name says so. */
  readonly certainty: 'likely' | 'possible'
}

export interface ProposedClassification {
  readonly fields: readonly ProposedField[]
  /** The default classes of these fields. */
  readonly classes: readonly DefaultClass[]
  /** Columns that hold sensitive values among others: what detectors are for, not classes. */
  readonly freeTexts: readonly { readonly field: string; readonly because: string }[]
}

/** More values say no more, and are more that was read. */
export const MOST_SAMPLES = 200
/** A column is of a class when so many of its values are; some always are empty, or something else. */
const SHARE = 0.8
/** Of fewer values none is sure: two may be of one kind by chance. */
const FEWEST_SAMPLES = 5
/** A longer value is no identifier, and its beginning shows what it holds. */
const LONGEST_SAMPLE = 2000

/** Says which columns hold what, from their names, types and values. Changes nothing: somebody has to look at it. */
export function proposeClassification(columns: readonly SampledColumn[]): ProposedClassification {
  const detectors = patternDetectors()
  const fields: ProposedField[] = []
  const freeTexts: { field: string; because: string }[] = []
  for (const column of columns) {
    const field = [column.schema, column.table, column.column].map(quoted).join('.')
    const named = classByName(column.table, column.column, column.type)
    const samples = (column.samples ?? [])
      .slice(0, MOST_SAMPLES)
      .map((text) => text.slice(0, LONGEST_SAMPLE).trimEnd())
    const counts = new Map<string, number>()
    let holding = 0
    for (const [i, sample] of samples.entries()) {
      const others = column.recognised?.[i] ?? []
      const { whole, holds } = classesIn(sample, column.column, named, [
        ...detectors,
        { entities: [], reach: 'lines', find: (text) => (text === sample ? others : []) },
      ])
      if (whole !== undefined) counts.set(whole, (counts.get(whole) ?? 0) + 1)
      else if (holds) holding += 1
    }
    const [seen, count] = [...counts].toSorted(([, a], [, b]) => b - a)[0] ?? [undefined, 0]
    const isShown = samples.length >= FEWEST_SAMPLES && count / samples.length >= SHARE
    const values = `${isShown || seen === named ? count : 0} of ${samples.length} values`
    if (named !== undefined) {
      const read = column.samples === undefined ? 'its values could not be read' : `${values} look like it`
      const byValues = isShown && seen !== undefined && seen !== named && !isWithin(named, seen)
      fields.push({
        field,
        class: byValues ? seen : named,
        because: byValues
          ? `${values}, although its name says ${named}`
          : SEEN_BY_VALUES.has(named)
            ? `its name; ${read}`
            : 'its name and type',
        certainty: isShown ? 'likely' : 'possible',
      })
    } else if (isShown && seen !== undefined) {
      fields.push({ field, class: seen, because: values, certainty: 'likely' })
    } else if (holding > 0 || counts.size > 0) {
      const all = holding + [...counts.values()].reduce((sum, n) => sum + n, 0)
      freeTexts.push({ field, because: `${all} of ${samples.length} values hold something sensitive` })
    }
  }
  const used = new Set(fields.map((field) => field.class))
  return { fields, classes: DEFAULT_CLASSES.filter(({ name }) => used.has(name)), freeTexts }
}

/** Classes whose values have a format that detectors know. */
const SEEN_BY_VALUES: ReadonlySet<string> = new Set([
  'pii.email',
  'pii.phone',
  'pii.ssn',
  'pii.national-id',
  'pii.driver-license',
  'pii.ip',
  'pci.card',
  'pci.iban',
  'secret.key',
  'secret.token',
])

/**
 * What a value is as a whole, and whether it holds something. The column's name stands before it as context, as it would in a
 * text, but counts only where it says the same: `number: 1234567` is not a phone number for that.
 */
function classesIn(
  value: string,
  column: string,
  named: string | undefined,
  detectors: readonly Detector[],
): { whole: string | undefined; holds: boolean } {
  const spans = detect(value, detectors)
  const [only] = spans
  if (
    spans.length === 1 &&
    only !== undefined &&
    only.start === 0 &&
    only.end === value.length &&
    only.score >= 0.7
  ) {
    return { whole: classOf(only.entity), holds: true }
  }
  const context = `${column.replaceAll(/[^\p{L}\p{N}]+/gu, ' ')}: `
  const inContext = detect(context + value, detectors).filter(({ start }) => start >= context.length)
  const isNamed =
    named !== undefined &&
    inContext.some(
      ({ entity, start, end }) =>
        classOf(entity) === named && start === context.length && end === context.length + value.length,
    )
  return { whole: isNamed ? named : undefined, holds: spans.some(({ score }) => score >= 0.7) }
}

/** As resources write fields: names that are more than letters, digits and `_` in double quotes. */
function quoted(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}

/** `pii.ssn` is a national id, and a name that says so is not contradicted by it. */
function isWithin(named: string, seen: string): boolean {
  const isIn = (inner: string, outer: string): boolean =>
    DEFAULT_CLASSES.some(({ name, in: within }) => name === inner && within === outer)
  return isIn(named, seen) || isIn(seen, named)
}
