import { aliasOf, entryOf, renamed } from './range-alias.ts'
import { readDocumentTable, readRangeFunction } from './range-function.ts'
import { relationEntry } from './relation-entry.ts'
import { relationName } from './relation-name.ts'
import { type RangeColumn, RangeEntry, readColumn, Scope } from './scope.ts'
import { NO_SOURCES, madeOf, unionAll } from './sources.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nameParts, tagged, text } from './tree.ts'
import type { Walk } from './walk.ts'

/**
 * The range table of a FROM clause, in order. Each item sees those before it where it is LATERAL, which functions are
 * anyway (SELECT, "LATERAL").
 */
export function readFrom(items: unknown, around: Scope, walk: Walk): readonly RangeEntry[] {
  const entries: RangeEntry[] = []
  for (const item of list(items)) entries.push(...readItem(item, around, entries, walk))
  return entries
}

function readItem(
  item: unknown,
  around: Scope,
  before: readonly RangeEntry[],
  walk: Walk,
): readonly RangeEntry[] {
  const node = tagged(item)
  if (node === undefined) return []
  walk.budget.spend(1)
  const { tag, fields } = node
  const lateral = () => new Scope(before, around.outer, around.tables)
  switch (tag) {
    case 'RangeVar':
      return [readRangeVar(fields, around, walk)]
    case 'RangeSubselect':
      return [readSubselect(fields, fields['lateral'] === true ? lateral() : around, walk)]
    case 'JoinExpr':
      return readJoin(fields, around, before, walk)
    case 'RangeFunction':
      return [readRangeFunction(fields, lateral(), walk)]
    case 'RangeTableSample':
      return readSample(fields, around, before, lateral(), walk)
    case 'RangeTableFunc':
    case 'JsonTable':
      return [readDocumentTable(tag, fields, lateral(), walk)]
    default:
      walk.reading.opaque(`its FROM holds something that the gateway does not know (${tag})`)
      return []
  }
}

function readRangeVar(fields: Fields, around: Scope, walk: Walk): RangeEntry {
  const relation = relationName(fields)
  const alias = aliasOf(fields)
  if (relation === undefined) {
    walk.reading.opaque('a relation has no name')
    return new RangeEntry({ columns: [], open: 'anything' })
  }
  const table = relation.schema === undefined ? around.tables.find(relation.name) : undefined
  // FOR UPDATE does not reach into WITH (SELECT, "The Locking Clause").
  if (table !== undefined)
    return entryOf({ ...table.result(), locks: [] }, alias.name ?? relation.name, alias.columns)
  const isOnly = fields['inh'] !== true
  return relationEntry(relation, alias, isOnly, walk, (use) => {
    use.isFrom = true
  })
}

function readSubselect(fields: Fields, scope: Scope, walk: Walk): RangeEntry {
  const alias = aliasOf(fields)
  const select = tagged(fields['subquery'])
  if (select?.tag !== 'SelectStmt') {
    walk.reading.opaque('it holds a subquery that is none')
    return new RangeEntry({ alias: alias.name, columns: [], open: 'anything' })
  }
  return entryOf(walk.query(select.tag, select.fields, scope), alias.name, alias.columns)
}

function readJoin(
  fields: Fields,
  around: Scope,
  before: readonly RangeEntry[],
  walk: Walk,
): readonly RangeEntry[] {
  const left = readItem(fields['larg'], around, before, walk)
  const right = readItem(fields['rarg'], around, [...before, ...left], walk)
  const lefts = left.filter((entry) => entry.hasColumns)
  const rights = right.filter((entry) => entry.hasColumns)
  const using = joinColumns(fields, lefts, rights)
  const merged = using.map((name) => mergedColumn(name, text(fields['jointype']) ?? '', lefts, rights, walk))
  const isMerged = new Set(using)
  const rest = [...lefts, ...rights].flatMap((entry) =>
    entry.columns.filter(({ name }) => !isMerged.has(name)),
  )
  const opens = [...lefts, ...rights].flatMap((entry) => (entry.open === undefined ? [] : [entry.open]))
  const inside = [...left, ...right]
  if (fields['quals'] !== undefined)
    walk.predicate(fields['quals'], new Scope([...before, ...inside], around.outer, around.tables))
  const alias = aliasOf(fields)
  const usingAlias = text(fieldsOf(fields['join_using_alias'])?.['aliasname'])
  const named =
    usingAlias === undefined
      ? []
      : [new RangeEntry({ alias: usingAlias, columns: merged, hasColumns: false })]
  const locks = inside.flatMap((entry) => entry.locks)
  walk.budget.spend(rest.length)
  const columns = [...merged, ...rest]
  if (alias.name !== undefined) {
    const open = opens.length === 0 ? undefined : unionAll(opens)
    return [
      new RangeEntry({ alias: alias.name, columns: renamed(columns, alias.columns), open, locks }),
      ...named,
    ]
  }
  // Without an alias its sides keep their names, but columns without a qualifier are the join's.
  if (merged.length === 0 && opens.length > 0) return [...inside, ...named]
  const join = new RangeEntry({
    columns,
    open: opens.length === 0 ? undefined : unionAll(opens),
    hasName: false,
    locks: [],
    uses: inside.flatMap((entry) => (entry.hasColumns ? entry.uses : [])),
  })
  return [...inside.map((entry) => (entry.hasColumns ? entry.withoutColumns() : entry)), join, ...named]
}

function joinColumns(
  fields: Fields,
  left: readonly RangeEntry[],
  right: readonly RangeEntry[],
): readonly string[] {
  if (fields['isNatural'] !== true) return nameParts(fields['usingClause'])
  const others = new Set(right.flatMap((entry) => entry.columns.map(({ name }) => name)))
  return [...new Set(left.flatMap((entry) => entry.columns.map(({ name }) => name)))].filter((name) =>
    others.has(name),
  )
}

/** A column of USING: both sides are compared, and the value is that of either. */
function mergedColumn(
  name: string,
  joinType: string,
  left: readonly RangeEntry[],
  right: readonly RangeEntry[],
  walk: Walk,
): RangeColumn {
  const of = (entries: readonly RangeEntry[]) => entries.flatMap((entry) => entry.named(name))
  const [ones, others] = [of(left), of(right)]
  const opens = [...left, ...right].flatMap(({ open }) => open ?? [])
  for (const column of [...ones, ...others]) {
    readColumn(column, walk)
    walk.flow.infers(column.value.sources, 'join')
  }
  for (const open of opens) walk.flow.infers(open, 'join')
  const [one] = ones
  const [other] = others
  const reads = [...ones, ...others].flatMap((column) => column.reads)
  const unknown =
    ones.length === 0 || others.length === 0
      ? unionAll(opens.length === 0 ? ['anything'] : opens)
      : NO_SOURCES
  const shown = joinType === 'JOIN_RIGHT' ? other : joinType === 'JOIN_FULL' ? undefined : one
  const sources = unionAll([...[...ones, ...others].map(({ value }) => value.sources), unknown])
  const isExact = shown !== undefined && ones.length === 1 && others.length === 1
  // The value of a left or inner join is the left side's, and the right one's is equal to it by the join.
  return { name, value: isExact ? shown.value : madeOf(sources), reads }
}

function readSample(
  fields: Fields,
  around: Scope,
  before: readonly RangeEntry[],
  lateral: Scope,
  walk: Walk,
): readonly RangeEntry[] {
  const method = nameParts(fields['method']).at(-1) ?? ''
  if (!/^(system|bernoulli|system_rows|system_time)$/.test(method))
    walk.reading.opaque(`the sampling method "${method}" is code that the gateway cannot read`)
  for (const arg of [...list(fields['args']), fields['repeatable']]) {
    walk.flow.infers(walk.expression(arg, lateral).sources, 'other')
  }
  return readItem(fields['relation'], around, before, walk)
}
