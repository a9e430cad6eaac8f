import type { Relation, RelationId } from '../../access/catalog.ts'
import { renamed } from './range-alias.ts'
import type { RelationName } from './reading.ts'
import type { RelationUse } from './relation-uses.ts'
import { type RangeColumn, RangeEntry } from './scope.ts'
import { NO_SOURCES, type Sources, either, madeOf, union, unionAll } from './sources.ts'
import { storedColumns } from './stored-columns.ts'
import type { Walk } from './walk.ts'

/**
 * A relation as an entry. Where its name can mean several, its columns have the sources of all of them.
 * @param used called with each
 */
export function relationEntry(
  relation: RelationName,
  alias: { readonly name: string | undefined; readonly columns: readonly string[] },
  isOnly: boolean,
  walk: Walk,
  used: (use: RelationUse) => void,
): RangeEntry {
  const ids = walk.reading.names.relations(relation)
  const entries = ids.map((id) => oneRelation(id, isOnly, walk, used))
  const [first] = entries
  const all = first !== undefined && entries.length === 1 ? first : mergeEntries(entries)
  return new RangeEntry({
    alias: alias.name ?? relation.name,
    schemas: alias.name === undefined ? ids.map(({ schema }) => schema) : [],
    columns: renamed(all.columns, alias.columns),
    open: all.open,
    uses: all.uses,
  })
}

interface Readable {
  readonly columns: readonly RangeColumn[]
  readonly open: Sources | undefined
  readonly uses: readonly RelationUse[]
}

function oneRelation(
  id: RelationId,
  isOnly: boolean,
  walk: Walk,
  used: (use: RelationUse) => void,
): Readable {
  const { index } = walk.reading.names
  const relation = index.relation(id.schema, id.name)
  const view = relation === undefined ? undefined : walk.view(relation)
  const use = walk.uses.of(id, relation, view)
  used(use)
  if (!isOnly) use.withDescendants = true
  if (relation === undefined) {
    // Of PostgreSQL's own, the catalog need not know all. Of users', one that was made since may hold anything.
    return { columns: [], open: id.schema === 'information_schema' ? NO_SOURCES : 'anything', uses: [use] }
  }
  if (view === undefined) {
    const columns = storedColumns(relation, index).map(({ name, sources }) => ({
      name,
      value: { ...madeOf(sources), isPlain: sources !== 'anything' },
      reads: [{ use, column: name }],
    }))
    walk.budget.spend(columns.length)
    return { columns, open: undefined, uses: [use] }
  }
  walk.flow.touches(view.touched)
  for (const { column, kind } of view.inferences) walk.flow.infers(new Set([column]), kind)
  return { columns: viewColumns(relation, use, walk), open: view.result.open, uses: [use] }
}

/** A view's columns by the names that the catalog has for them, each with what it is made of and with itself. */
function viewColumns(relation: Relation, use: RelationUse, walk: Walk): readonly RangeColumn[] {
  walk.budget.spend(relation.columns.length)
  const { index } = walk.reading.names
  return relation.columns.map(({ name }, n) => {
    const own = new Set([index.source(relation, name)])
    const below = use.view?.result.columns[n]
    const isKnown = below !== undefined && use.view?.result.open === undefined
    const value = isKnown ? below.value : madeOf(use.view?.result.open ?? 'anything')
    const sources = union(value.sources, own)
    return {
      name,
      value: {
        ...value,
        sources,
        isPlain: value.isPlain && sources !== 'anything',
        isConstant: false,
        parameters: [],
      },
      reads: [{ use, column: name }],
    }
  })
}

function mergeEntries(entries: readonly Readable[]): Readable {
  const byName = new Map<string, RangeColumn>()
  const shapes = new Set(entries.map(({ columns }) => JSON.stringify(columns.map(({ name }) => name))))
  for (const column of entries.flatMap(({ columns }) => columns)) {
    const same = byName.get(column.name)
    byName.set(
      column.name,
      same === undefined
        ? column
        : {
            name: column.name,
            value: either(same.value, column.value),
            reads: [...same.reads, ...column.reads],
          },
    )
  }
  const opens = entries.flatMap(({ open }) => (open === undefined ? [] : [open]))
  // One of which the columns are not known can have any.
  const columns = [...byName.values()].map((column) =>
    opens.length === 0 ? column : { ...column, value: either(column.value, madeOf(unionAll(opens))) },
  )
  // With different columns under different paths, what a star stands for is not certain.
  const uncertain = shapes.size > 1 ? [unionAll(columns.map(({ value }) => value.sources))] : []
  const open = [...opens, ...uncertain]
  return {
    columns,
    open: open.length === 0 ? undefined : unionAll(open),
    uses: entries.flatMap(({ uses }) => uses),
  }
}
