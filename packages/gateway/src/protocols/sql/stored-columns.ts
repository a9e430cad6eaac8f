import type { Relation } from '../../access/catalog.ts'
import type { SourceColumn } from '../../access/data-flow.ts'
import type { CatalogIndex, StoredColumn } from './names.ts'
import { relationsAbove, relationsBelow } from './related-relations.ts'
import { list, nameParts, nodeOf } from './tree.ts'

/**
 * A partitioned table's columns are its partitions' too. Those of more are not named beside it: whoever classifies the
 * columns of one of them and not the table's would have to name hundreds.
 */
const MAX_BELOW = 32

/** Views and tables of PostgreSQL's own that show what users have stored, or what other sessions run. */
const SHOWS_DATA: ReadonlyMap<string, RegExp> = new Map([
  ['pg_statistic', /^sta(values|numbers)/],
  ['pg_stats', /^(most_common|histogram|range_|elem_count)/],
  ['pg_statistic_ext_data', /^stx/],
  ['pg_stats_ext', /^most_common/],
  ['pg_stats_ext_exprs', /^(most_common|histogram|elem_count|range_)/],
  ['pg_largeobject', /^data$/],
  ['pg_stat_activity', /^query$/],
  ['pg_prepared_statements', /^statement$/],
  ['pg_cursors', /^statement$/],
  ['pg_stat_statements', /^query$/],
  // A partial index's condition holds constants that somebody has found worth an index.
  ['pg_indexes', /^indexdef$/],
])

/**
 * The columns of a relation that is no view, each with the columns whose values can be in it: itself, those of the same name
 * that it inherits from or that inherit from it, and what a generated one is computed from.
 */
export function storedColumns(relation: Relation, index: CatalogIndex): readonly StoredColumn[] {
  const known = index.stored.get(relation)
  if (known !== undefined) return known
  const below = relationsBelow(relation, index)
  const related = [...relationsAbove(relation, index), ...(below.length > MAX_BELOW ? [] : below)]
  const shows = relation.schema === 'pg_catalog' ? SHOWS_DATA.get(relation.name) : undefined
  const own = new Map(relation.columns.map(({ name }) => [name, index.source(relation, name)]))
  const columns = relation.columns.map(({ name, generatedFrom }): StoredColumn => {
    if (shows?.test(name) === true) return { name, sources: 'anything' }
    const sources = new Set<SourceColumn>([index.source(relation, name)])
    for (const other of related)
      if (other.columns.some((column) => column.name === name)) sources.add(index.source(other, name))
    if (generatedFrom === undefined) return { name, sources }
    const mentioned = columnsIn(generatedFrom, index)
    // An expression that cannot be read can have any column in it.
    for (const [other, source] of own) if (mentioned?.has(other) !== false) sources.add(source)
    return { name, sources }
  })
  index.stored.set(relation, columns)
  return columns
}

function columnsIn(expression: string, index: CatalogIndex): ReadonlySet<string> | undefined {
  try {
    const tree = index.parse(`SELECT ${expression}`)
    const names = new Set<string>()
    gather(tree, names)
    return names
  } catch {
    return undefined
  }
}

function gather(node: unknown, names: Set<string>): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const item of list(node)) gather(item, names)
    return
  }
  const column = nodeOf(node, 'ColumnRef')
  const name = column === undefined ? undefined : nameParts(column['fields']).at(-1)
  if (name !== undefined) names.add(name)
  for (const below of Object.values(node)) gather(below, names)
}
