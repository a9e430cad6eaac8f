import { readFrom } from './read-from.ts'
import { relationEntry } from './relation-entry.ts'
import { readTargets } from './read-select.ts'
import { readWith } from './read-with.ts'
import { merges, type RelationUse, writes } from './relation-uses.ts'
import { relationName } from './relation-name.ts'
import { RangeEntry, Scope } from './scope.ts'
import {
  CLEAN,
  type Result,
  type Sources,
  type Value,
  either,
  isEmpty,
  madeOf,
  sourcesOf,
  union,
} from './sources.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nodeOf, tagged, text } from './tree.ts'
import { judgeWhere } from './where-is-trivial.ts'
import type { Walk } from './walk.ts'

/** The relation that a statement changes, as an entry, under its alias. */
interface Target {
  readonly entry: RangeEntry
  readonly uses: readonly RelationUse[]
  /** What is written into each of its columns, as far as that comes from somewhere. */
  readonly written: Map<string, Value>
}

type Change = 'insert' | 'update' | 'delete'

/**
 * A WITH name never stands for the relation to change: PostgreSQL looks only at real relations there, so neither does
 * this.
 */
function openTarget(fields: Fields, walk: Walk): Target | undefined {
  const rangeVar = fieldsOf(fields['relation'])
  const relation = relationName(rangeVar)
  if (relation === undefined) {
    walk.reading.opaque('the relation to change has no name')
    return undefined
  }
  const uses: RelationUse[] = []
  const alias = { name: text(fieldsOf(rangeVar?.['alias'])?.['aliasname']), columns: [] }
  const entry = relationEntry(relation, alias, true, walk, (use) => uses.push(use))
  // What is not known of a relation matters to who reads it.
  return { entry, uses, written: new Map() }
}

/** An error may quote the whole row that it is about, and a trigger run anything. */
function change(action: Change, target: Target, columns: readonly string[] | undefined, walk: Walk): void {
  for (const use of target.uses) {
    writes(action, use, columns, walk.reading)
    if (use.relation?.triggers.some(({ on }) => on.includes(action)) === true) walk.flow.touches('anything')
  }
  for (const { value } of target.entry.columns) walk.flow.touches(value.sources)
  if (target.entry.open !== undefined) walk.flow.touches(target.entry.open)
}

function store(target: Target, column: string, value: Value, walk: Walk): void {
  for (const { reads, value: to } of target.entry.named(column)) {
    walk.flow.takes(value.parameters, to.sources)
    for (const { use, column: name } of reads) walk.flow.stores(value.sources, storedIn(use, name, to, walk))
  }
  const before = target.written.get(column)
  target.written.set(column, before === undefined ? value : either(before, value))
}

/** Where a value is kept that is written into a column: of a view, in what is below it. */
function storedIn(use: RelationUse, column: string, value: Value, walk: Walk): Sources {
  const own = walk.reading.names.index.source(use, column)
  if (use.view === undefined || value.sources === 'anything') return new Set([own])
  const below = [...value.sources].filter((source) => source !== own)
  return new Set(below.length === 0 ? [own] : below)
}

export function readInsert(fields: Fields, around: Scope, walk: Walk): Result {
  const { tables, finish } = readWith(fields['withClause'], around, walk)
  const level = new Scope([], around, tables)
  const target = openTarget(fields, walk)
  if (target === undefined) return { columns: [] }
  const source = tagged(fields['selectStmt'])
  const result = source === undefined ? undefined : walk.query(source.tag, source.fields, level)
  const named = list(fields['cols']).map((item) => text(nodeOf(item, 'ResTarget')?.['name']) ?? '')
  for (const item of list(fields['cols'])) walk.expression(item, level)
  const columns = named.length > 0 ? named : firstColumns(target, result)
  change('insert', target, columns, walk)
  for (const [n, column] of (columns ?? []).entries()) {
    const all = result?.open === undefined ? undefined : madeOf(sourcesOf(result))
    const value = all ?? result?.columns[n]?.value
    if (value !== undefined) store(target, column, value, walk)
  }
  const inside = level.with([target.entry])
  const conflict = fieldsOf(fields['onConflictClause'])
  if (conflict !== undefined) readConflict(conflict, target, inside, walk)
  const returned = readReturning(fields, target, level, [], walk)
  finish()
  return returned
}

/** Without a list, an INSERT is into the first columns, as many as it has values for. */
function firstColumns(target: Target, result: Result | undefined): readonly string[] | undefined {
  if (target.entry.open !== undefined) return undefined
  const all = target.entry.columns.map(({ name }) => name)
  if (result === undefined) return []
  return result.open === undefined ? all.slice(0, result.columns.length) : all
}

function readConflict(conflict: Fields, target: Target, scope: Scope, walk: Walk): void {
  const infer = fieldsOf(conflict['infer'])
  if (infer?.['conname'] !== undefined) {
    // The columns of a constraint are not in the catalog, and reading them is what PostgreSQL asks for.
    for (const use of target.uses) use.readsWhole = true
  }
  for (const item of list(infer?.['indexElems'])) {
    const element = nodeOf(item, 'IndexElem')
    const name = text(element?.['name'])
    const ref = { ColumnRef: { fields: [{ String: { sval: name ?? '' } }] } }
    const value = walk.expression(name === undefined ? element?.['expr'] : ref, scope)
    // Whether there is such a row already shows.
    walk.flow.infers(value.sources, value.isPlain ? 'constant' : 'pattern')
  }
  walk.predicate(infer?.['whereClause'], scope)
  if (text(conflict['action']) !== 'ONCONFLICT_UPDATE') return
  // What was to be inserted. PostgreSQL asks for SELECT on a column of it as on one of the relation.
  const excluded = new RangeEntry({
    alias: 'excluded',
    columns: target.entry.columns.map((column) => ({
      ...column,
      value: target.written.get(column.name) ?? CLEAN,
    })),
    open: target.entry.open,
    uses: target.uses,
    hasColumns: false,
  })
  const inside = new Scope([...scope.entries, excluded], scope.outer, scope.tables)
  change('update', target, readAssignments(conflict['targetList'], target, inside, walk), walk)
  walk.predicate(conflict['whereClause'], inside)
}

/** SET. @returns the columns that are assigned to */
function readAssignments(targets: unknown, target: Target, scope: Scope, walk: Walk): readonly string[] {
  const columns: string[] = []
  for (const item of list(targets)) {
    const assigned = nodeOf(item, 'ResTarget')
    const name = text(assigned?.['name'])
    if (assigned === undefined || name === undefined) {
      walk.reading.opaque('it assigns to something that the gateway does not know')
      continue
    }
    columns.push(name)
    const parts = list(assigned['indirection']).map((step) => walk.expression(step, scope))
    const value = readAssigned(assigned['val'], scope, walk)
    const isPart = parts.length > 0
    store(
      target,
      name,
      isPart ? madeOf(parts.reduce((all, one) => union(all, one.sources), value.sources)) : value,
      walk,
    )
  }
  return [...new Set(columns)]
}

/** `(a, b) = (SELECT …)`: each column has the one that stands in its place. */
function readAssigned(val: unknown, scope: Scope, walk: Walk): Value {
  const several = nodeOf(val, 'MultiAssignRef')
  if (several === undefined) return walk.expression(val, scope)
  const { source } = several
  const place = typeof several['colno'] === 'number' ? several['colno'] - 1 : 0
  const row = nodeOf(source, 'RowExpr')
  if (row !== undefined) return walk.expression(list(row['args'])[place], scope)
  const value = walk.expression(source, scope)
  return value.fields?.[place]?.value ?? madeOf(value.sources)
}

export function readUpdate(fields: Fields, around: Scope, walk: Walk): Result {
  const { tables, finish } = readWith(fields['withClause'], around, walk)
  const level = new Scope([], around, tables)
  const target = openTarget(fields, walk)
  if (target === undefined) return { columns: [] }
  const from = readFrom(fields['fromClause'], level, walk)
  const inside = level.with([target.entry, ...from])
  change('update', target, readAssignments(fields['targetList'], target, inside, walk), walk)
  readWhere(fields, inside, walk)
  const returned = readReturning(fields, target, level, from, walk)
  finish()
  return returned
}

export function readDelete(fields: Fields, around: Scope, walk: Walk): Result {
  const { tables, finish } = readWith(fields['withClause'], around, walk)
  const level = new Scope([], around, tables)
  const target = openTarget(fields, walk)
  if (target === undefined) return { columns: [] }
  const from = readFrom(fields['usingClause'], level, walk)
  change('delete', target, undefined, walk)
  readWhere(fields, level.with([target.entry, ...from]), walk)
  const returned = readReturning(fields, target, level, from, walk)
  finish()
  return returned
}

function readWhere(fields: Fields, scope: Scope, walk: Walk): void {
  walk.predicate(fields['whereClause'], scope)
  judgeWhere(fields['whereClause'], fields['relation'], walk.reading)
}

const MERGE_ACTIONS: ReadonlyMap<string, Change> = new Map([
  ['CMD_INSERT', 'insert'],
  ['CMD_UPDATE', 'update'],
  ['CMD_DELETE', 'delete'],
])

export function readMerge(fields: Fields, around: Scope, walk: Walk): Result {
  const { tables, finish } = readWith(fields['withClause'], around, walk)
  const level = new Scope([], around, tables)
  const target = openTarget(fields, walk)
  if (target === undefined) return { columns: [] }
  const source = readFrom([fields['sourceRelation']], level, walk)
  const inside = level.with([target.entry, ...source])
  for (const use of target.uses) merges(use, walk.reading)
  walk.predicate(fields['joinCondition'], inside)
  for (const item of list(fields['mergeWhenClauses'])) {
    const clause = nodeOf(item, 'MergeWhenClause') ?? {}
    const command = text(clause['commandType']) ?? ''
    walk.predicate(clause['condition'], inside)
    const action = MERGE_ACTIONS.get(command)
    if (action === undefined) {
      if (command !== 'CMD_NOTHING')
        walk.reading.opaque('a MERGE has an action that the gateway does not know')
      continue
    }
    change(action, target, readMergeAction(action, clause, target, inside, walk), walk)
    if (action !== 'insert')
      judgeWhere(fields['joinCondition'], fields['relation'], walk.reading, clause['condition'])
  }
  const returned = readReturning(fields, target, level, source, walk, true)
  finish()
  return returned
}

function readMergeAction(
  action: Change,
  clause: Fields,
  target: Target,
  scope: Scope,
  walk: Walk,
): readonly string[] | undefined {
  if (action === 'delete') return undefined
  if (action === 'update') return readAssignments(clause['targetList'], target, scope, walk)
  const values = list(clause['values']).map((item) => walk.expression(item, scope))
  const named = list(clause['targetList']).map((item) => text(nodeOf(item, 'ResTarget')?.['name']) ?? '')
  const result: Result = { columns: values.map((value) => ({ name: '', value })) }
  const columns = named.length > 0 ? named : firstColumns(target, result)
  for (const [n, column] of (columns ?? []).entries()) {
    const value = values[n]
    if (value !== undefined) store(target, column, value, walk)
  }
  return columns
}

/**
 * RETURNING gives a row as it was written: a column can have the values that were put into it, too. `old` and `new` name
 * the row before and after, unless something else is called that.
 */
function readReturning(
  fields: Fields,
  target: Target,
  level: Scope,
  from: readonly RangeEntry[],
  walk: Walk,
  isSourceFirst = false,
): Result {
  const clause = fieldsOf(fields['returningClause'])
  if (clause === undefined) return { columns: [] }
  const now = afterwards(target, target.entry.alias, true)
  const names = new Map([
    ['RETURNING_OPTION_OLD', 'old'],
    ['RETURNING_OPTION_NEW', 'new'],
  ])
  for (const item of list(clause['options'])) {
    const option = nodeOf(item, 'ReturningOption')
    const which = text(option?.['option'])
    const name = text(option?.['value'])
    if (which !== undefined && name !== undefined) names.set(which, name)
  }
  const taken = new Set([target.entry.alias, ...from.map(({ alias }) => alias)])
  const rows = [...names].flatMap(([which, name]) => {
    if (taken.has(name)) return []
    return which === 'RETURNING_OPTION_OLD'
      ? [new RangeEntry({ ...readable(target.entry), alias: name, hasColumns: false })]
      : [afterwards(target, name, false)]
  })
  // MERGE has its source first.
  const entries = isSourceFirst ? [...from, now] : [now, ...from]
  return readTargets(clause['exprs'], level.with([...entries, ...rows]), walk)
}

function readable({ columns, open, uses, schemas }: RangeEntry) {
  return { columns, open, uses, schemas }
}

function afterwards(target: Target, alias: string | undefined, hasColumns: boolean): RangeEntry {
  const columns = target.entry.columns.map((column) => {
    const written = target.written.get(column.name)
    if (written === undefined || isEmpty(written.sources)) return column
    return { ...column, value: either(column.value, written) }
  })
  return new RangeEntry({ ...readable(target.entry), columns, alias, hasColumns })
}
