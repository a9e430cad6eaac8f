import { CommonTables } from './common-tables.ts'
import { readFrom } from './read-from.ts'
import { readWith } from './read-with.ts'
import { locks } from './relation-uses.ts'
import { makesRelation } from './relation-name.ts'
import { resultName } from './result-name.ts'
import { expandStar, findEntries, type RangeEntry, Scope } from './scope.ts'
import {
  type Result,
  type ResultColumn,
  type Sources,
  type Value,
  anyOf,
  either,
  madeOf,
  sourcesOf,
  union,
  unionAll,
} from './sources.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nameParts, nodeOf, text } from './tree.ts'
import type { Walk } from './walk.ts'

/** SELECT, VALUES, TABLE and set operations of them: their result, and what decides which rows are in it. */
export function readSelect(fields: Fields, around: Scope, walk: Walk): Result {
  const { tables, finish } = readWith(fields['withClause'], around, walk)
  const level = new Scope([], around, tables)
  const result = readBody(fields, level, walk)
  finish()
  const into = fieldsOf(fields['intoClause'])
  if (into !== undefined) makesRelation(into['rel'], walk.reading)
  return result
}

function readBody(fields: Fields, level: Scope, walk: Walk): Result {
  const operation = text(fields['op']) ?? 'SETOP_NONE'
  if (operation !== 'SETOP_NONE') return readSetOperation(operation, fields, level, walk)
  if (fields['valuesLists'] !== undefined) {
    const result = readValues(fields, level, walk)
    readSort(fields['sortClause'], result, level, walk)
    readLimits(fields, level, walk)
    return result
  }
  const entries = readFrom(fields['fromClause'], level, walk)
  const inside = level.with(entries)
  const scope = inside.withWindows(readWindows(fields['windowClause'], inside, walk))
  const result = readTargets(fields['targetList'], scope, walk)
  walk.predicate(fields['whereClause'], scope)
  walk.predicate(fields['havingClause'], scope)
  for (const item of list(fields['groupClause'])) {
    walk.flow.infers(groupSources(item, result, scope, walk), 'group')
  }
  for (const item of list(fields['distinctClause'])) {
    // DISTINCT without ON is one empty node.
    const isOn = typeof item === 'object' && item !== null && Object.keys(item).length > 0
    walk.flow.infers(isOn ? itemSources(item, result, scope, walk) : sourcesOf(result), 'group')
  }
  readSort(fields['sortClause'], result, scope, walk)
  readLimits(fields, scope, walk)
  readLocks(fields['lockingClause'], entries, walk)
  return { ...result, locks: entries.flatMap((entry) => entry.locks) }
}

/** A list of targets, or of what RETURNING gives. */
export function readTargets(targets: unknown, scope: Scope, walk: Walk): Result {
  const columns: ResultColumn[] = []
  const opens: Sources[] = []
  for (const item of list(targets)) {
    const target = nodeOf(item, 'ResTarget')
    if (target === undefined) {
      walk.reading.opaque('it holds something that the gateway does not know (targetList)')
      continue
    }
    const { val } = target
    const fields = list(nodeOf(val, 'ColumnRef')?.['fields'])
    const steps = list(nodeOf(val, 'A_Indirection')?.['indirection'])
    if (isStar(fields.at(-1))) {
      const star = expandStar(nameParts(fields.slice(0, -1)), scope, walk)
      columns.push(...star.columns)
      if (star.open !== undefined) opens.push(star.open)
    } else if (isStar(steps.at(-1))) {
      const value = walk.expression(val, scope)
      if (value.fields === undefined) opens.push(value.sources)
      else columns.push(...value.fields)
    } else {
      const value = walk.expression(val, scope)
      columns.push({ name: text(target['name']) ?? resultName(val), value })
    }
    walk.budget.spend(1)
  }
  walk.budget.spend(columns.length)
  return opens.length === 0 ? { columns } : { columns, open: unionAll(opens) }
}

function isStar(node: unknown): boolean {
  return nodeOf(node, 'A_Star') !== undefined
}

function readValues(fields: Fields, scope: Scope, walk: Walk): Result {
  const columns: Value[][] = []
  for (const row of list(fields['valuesLists'])) {
    for (const [n, item] of list(nodeOf(row, 'List')?.['items']).entries()) {
      const value = walk.expression(item, scope)
      const above = columns[n]
      if (above === undefined) columns[n] = [value]
      else above.push(value)
    }
  }
  return { columns: columns.map((values, n) => ({ name: `column${n + 1}`, value: anyOf(values) })) }
}

function readSetOperation(operation: string, fields: Fields, level: Scope, walk: Walk): Result {
  const left = walk.query('SelectStmt', fieldsOf(fields['larg']) ?? {}, level)
  const right = walk.query('SelectStmt', fieldsOf(fields['rarg']) ?? {}, level)
  const result = combine(left, right)
  walk.budget.spend(result.columns.length)
  // Doubles are removed by comparing whole rows, and the others left out by comparing them with this side's.
  if (operation !== 'SETOP_UNION' || fields['all'] !== true) walk.flow.infers(sourcesOf(result), 'group')
  readSort(fields['sortClause'], result, level, walk)
  readLimits(fields, level, walk)
  return { ...result, locks: [...(left.locks ?? []), ...(right.locks ?? [])] }
}

/** Column by column, under the names of the left side. */
function combine(left: Result, right: Result): Result {
  // Which of the left side's columns stands beside which of the right one's is not known.
  if (left.open !== undefined) return { columns: [], open: union(sourcesOf(left), sourcesOf(right)) }
  if (right.open !== undefined) {
    const all = madeOf(sourcesOf(right))
    return { columns: left.columns.map(({ name, value }) => ({ name, value: either(value, all) })) }
  }
  return {
    columns: left.columns.map(({ name, value }, n) => {
      const other = right.columns[n]?.value
      return { name, value: other === undefined ? value : either(value, other) }
    }),
  }
}

function readWindows(clause: unknown, scope: Scope, walk: Walk): ReadonlyMap<string, Sources> {
  const windows = new Map<string, Sources>()
  for (const item of list(clause)) {
    const name = text(nodeOf(item, 'WindowDef')?.['name'])
    const { name: _, ...fields } = nodeOf(item, 'WindowDef') ?? {}
    const value = walk.expression({ WindowDef: fields }, scope.withWindows(windows))
    if (name !== undefined) windows.set(name, value.sources)
  }
  return windows
}

function readSort(clause: unknown, result: Result, scope: Scope, walk: Walk): void {
  for (const item of list(clause)) {
    const { node, ...rest } = nodeOf(item, 'SortBy') ?? {}
    // Its operator, when it names one.
    walk.expression({ SortBy: rest }, scope)
    walk.flow.infers(itemSources(node, result, scope, walk), 'order')
  }
}

/** An item of ORDER BY or DISTINCT ON: a result column by its number or name, or else an expression (SQL-92). */
function itemSources(node: unknown, result: Result, scope: Scope, walk: Walk): Sources {
  const position = positionOf(node)
  if (position !== undefined) {
    const at = result.open === undefined ? result.columns[position - 1] : undefined
    return at === undefined ? sourcesOf(result) : at.value.sources
  }
  const name = bareName(node)
  const found = name === undefined ? [] : result.columns.filter((column) => column.name === name)
  if (found.length > 0) return unionAll(found.map(({ value }) => value.sources))
  return walk.expression(node, scope).sources
}

/** An item of GROUP BY, where a name means a column of FROM before it means one of the result. */
function groupSources(node: unknown, result: Result, scope: Scope, walk: Walk): Sources {
  const set = nodeOf(node, 'GroupingSet')
  if (set !== undefined)
    return unionAll(list(set['content']).map((item) => groupSources(item, result, scope, walk)))
  const name = bareName(node)
  const isColumn =
    name !== undefined && scope.entries.some((entry) => entry.hasColumns && entry.named(name).length > 0)
  return isColumn ? walk.expression(node, scope).sources : itemSources(node, result, scope, walk)
}

function positionOf(node: unknown): number | undefined {
  const integer = fieldsOf(nodeOf(node, 'A_Const')?.['ival'])
  if (integer === undefined) return undefined
  return typeof integer['ival'] === 'number' ? integer['ival'] : 0
}

function bareName(node: unknown): string | undefined {
  const parts = nameParts(nodeOf(node, 'ColumnRef')?.['fields'])
  return parts.length === 1 ? parts[0] : undefined
}

function readLimits(fields: Fields, scope: Scope, walk: Walk): void {
  for (const limit of [fields['limitCount'], fields['limitOffset']])
    walk.flow.infers(walk.expression(limit, scope).sources, 'other')
}

/** FOR UPDATE and the like, on all in FROM or on those after OF (SELECT, "The Locking Clause"). */
function readLocks(clause: unknown, entries: readonly RangeEntry[], walk: Walk): void {
  for (const item of list(clause)) {
    const locking = nodeOf(item, 'LockingClause')
    if (locking === undefined) {
      walk.reading.opaque('it holds something that the gateway does not know (lockingClause)')
      continue
    }
    const names = list(locking['lockedRels']).map((one) => text(nodeOf(one, 'RangeVar')?.['relname']) ?? '')
    const scope = new Scope(entries, undefined, new CommonTables())
    const locked = names.length === 0 ? entries : names.flatMap((name) => findEntries([name], scope))
    // A name that is none of these may be one that the gateway takes for something else.
    const all = names.length > 0 && locked.length < names.length ? entries : locked
    for (const use of all.flatMap((entry) => entry.locks)) locks(use, walk.reading)
  }
}
