import type { Relation, RelationId } from '../../access/catalog.ts'
import { FUNCTION_COLUMNS, ONE_COLUMN } from './function-values.ts'
import type { RelationUse } from './relation-uses.ts'
import { relationName } from './relation-name.ts'
import type { RelationName } from './reading.ts'
import { type RangeColumn, RangeEntry, readColumn, Scope } from './scope.ts'
import {
  CLEAN,
  NO_SOURCES,
  type Result,
  type Sources,
  type Value,
  either,
  madeOf,
  union,
  unionAll,
} from './sources.ts'
import { storedColumns } from './stored-columns.ts'
import { resultName } from './result-name.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nameParts, nodeOf, tagged, text } from './tree.ts'
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

/** An alias, and the names that it gives to the first columns. */
function aliasOf(fields: Fields): { readonly name: string | undefined; readonly columns: readonly string[] } {
  const alias = fieldsOf(fields['alias'])
  return { name: text(alias?.['aliasname']), columns: nameParts(alias?.['colnames']) }
}

function renamed<T extends { readonly name: string }>(
  columns: readonly T[],
  names: readonly string[],
): readonly T[] {
  if (names.length === 0) return columns
  return columns.map((column, n) => ({ ...column, name: names[n] ?? column.name }))
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

/** The result of a query as an entry: its columns were read within it. */
export function entryOf(
  result: Result,
  alias: string | undefined,
  names: readonly string[] = [],
): RangeEntry {
  const columns = renamed(result.columns, names).map((column) => ({ ...column, reads: [] }))
  return new RangeEntry({ alias, columns, open: result.open, locks: result.locks ?? [] })
}

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

function readRangeFunction(fields: Fields, scope: Scope, walk: Walk): RangeEntry {
  const alias = aliasOf(fields)
  const calls = list(fields['functions']).map((item) => list(nodeOf(item, 'List')?.['items']))
  const isAlone = calls.length === 1
  const definitions = list(fields['coldeflist'])
  const results = calls.map(([call, columns]) => {
    const named = isAlone && definitions.length > 0 ? definitions : list(nodeOf(columns, 'List')?.['items'])
    return functionResult(call, named, isAlone ? alias.name : undefined, scope, walk)
  })
  const opens = results.flatMap(({ open }) => open ?? [])
  const counted = fields['ordinality'] === true ? [{ name: 'ordinality', value: CLEAN }] : []
  const columns = [...results.flatMap((result) => result.columns), ...counted]
  const name = alias.name ?? (isAlone ? resultName(calls[0]?.[0]) : undefined)
  // Names that are given to columns nobody knows of are names of theirs.
  const unnamed = opens.length > 0 && columns.length < alias.columns.length ? unionAll(opens) : undefined
  const extended =
    unnamed === undefined
      ? columns
      : alias.columns.map((column, n) => columns[n] ?? { name: column, value: madeOf(unnamed) })
  const isWhole = unnamed !== undefined && alias.columns.length > 0 && isAlone
  const open = opens.length === 0 || isWhole ? undefined : unionAll(opens)
  return entryOf({ columns: renamed(extended, alias.columns), ...(open === undefined ? {} : { open }) }, name)
}

function functionResult(
  call: unknown,
  definitions: readonly unknown[],
  alias: string | undefined,
  scope: Scope,
  walk: Walk,
): Result {
  const value = walk.expression(call, scope)
  const names = definitions.map((item) => text(nodeOf(item, 'ColumnDef')?.['colname']) ?? '')
  if (names.length > 0) return { columns: names.map((name) => ({ name, value: madeOf(value.sources) })) }
  const function_ = nodeOf(call, 'FuncCall')
  const name = nameParts(function_?.['funcname']).at(-1) ?? resultName(call)
  const made = madeOf(value.sources)
  const columns = FUNCTION_COLUMNS.get(name)
  if (columns !== undefined) return { columns: columns.map((column) => ({ name: column, value: made })) }
  if (name === 'unnest') {
    const args = list(function_?.['args'])
    const isComposite = args.length === 1 && value.fields !== undefined
    const own = args.map((): { name: string; value: Value } => ({ name: alias ?? name, value: made }))
    return isComposite ? { columns: [], open: value.sources } : { columns: own }
  }
  const single = { columns: [{ name: alias ?? name, value: made }] }
  if (function_ === undefined || ONE_COLUMN.has(name)) return single
  // It can have one column, or those of a composite type.
  return { columns: [], open: value.sources }
}

/** XMLTABLE and JSON_TABLE: each column can hold anything of the document. */
function readDocumentTable(tag: string, fields: Fields, scope: Scope, walk: Walk): RangeEntry {
  const alias = aliasOf(fields)
  const { columns: _, alias: __, ...rest } = fields
  const document = walk.expression({ [tag]: rest }, scope)
  const columns: RangeColumn[] = []
  const add = (items: unknown, around: Sources): void => {
    for (const item of list(items)) {
      const column = nodeOf(item, 'RangeTableFuncCol') ?? nodeOf(item, 'JsonTableColumn')
      const { columns: nested, ...own } = column ?? {}
      const kind = nodeOf(item, 'JsonTableColumn') === undefined ? 'RangeTableFuncCol' : 'JsonTableColumn'
      const sources = union(around, walk.expression({ [kind]: own }, scope).sources)
      if (text(own['coltype']) === 'JTC_NESTED') add(nested, sources)
      else
        columns.push({ name: text(own['colname'] ?? own['name']) ?? '', value: madeOf(sources), reads: [] })
    }
  }
  add(fields['columns'], document.sources)
  const name = alias.name ?? (tag === 'JsonTable' ? 'json_table' : 'xmltable')
  return new RangeEntry({ alias: name, columns: renamed(columns, alias.columns) })
}
