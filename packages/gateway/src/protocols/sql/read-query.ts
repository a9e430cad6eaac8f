import type { CommonTableNames } from './common-table-names.ts'
import { openWith } from './common-table-names.ts'
import { readFunctionName, readOperatorName } from './read-function.ts'
import type { ReadingBuilder } from './reading.ts'
import { makesRelation, onRelation, relationName } from './relation-name.ts'
import { lockedRelations } from './row-locks.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nodeOf, text, visitChildren, visitNode } from './tree.ts'
import { judgeWhere } from './where-is-trivial.ts'

/**
 * Reads a query, or anything within one: every relation, function and nested statement below it, wherever it stands.
 * Only what is special has a rule here; all else is walked through, and a node nobody knows makes the whole opaque.
 */
export function readNode(
  tag: string,
  fields: Fields,
  scope: CommonTableNames,
  reading: ReadingBuilder,
): void {
  switch (tag) {
    case 'SelectStmt':
      return readSelect(fields, scope, reading)
    case 'InsertStmt':
      return readInsert(fields, scope, reading)
    case 'UpdateStmt':
      return readUpdateOrDelete('update', fields, scope, reading)
    case 'DeleteStmt':
      return readUpdateOrDelete('delete', fields, scope, reading)
    case 'MergeStmt':
      return readMerge(fields, scope, reading)
    case 'RangeVar':
      return readRelation(fields, scope, reading)
    case 'FuncCall':
      readFunctionName(fields, reading)
      break
    case 'A_Expr':
      readOperatorName(fields['name'], reading)
      break
    case 'SubLink':
      readOperatorName(fields['operName'], reading)
      break
    case 'SortBy':
      readOperatorName(fields['useOp'], reading)
      break
    default:
      if (tag.endsWith('Stmt')) return reading.opaque(`it holds a statement that cannot stand there (${tag})`)
  }
  readChildren(tag, fields, scope, reading)
}

/** Reads a tagged node, when there is one. */
export function readAny(node: unknown, scope: CommonTableNames, reading: ReadingBuilder): void {
  visitNode(node, 'node', visitorFor(scope, reading))
}

export function readEach(nodes: unknown, scope: CommonTableNames, reading: ReadingBuilder): void {
  for (const node of list(nodes)) readAny(node, scope, reading)
}

/** Everything below a node, except the fields that its own rule has already read. */
export function readChildren(
  tag: string,
  fields: Fields,
  scope: CommonTableNames,
  reading: ReadingBuilder,
  done: readonly string[] = [],
): void {
  const rest =
    done.length === 0
      ? fields
      : Object.fromEntries(Object.entries(fields).filter(([key]) => !done.includes(key)))
  visitChildren(tag, rest, visitorFor(scope, reading))
}

function visitorFor(scope: CommonTableNames, reading: ReadingBuilder) {
  return {
    node: (tag: string, fields: Fields) => readNode(tag, fields, scope, reading),
    unknown: (what: string) => reading.opaque(`it holds something that the gateway does not know (${what})`),
  }
}

function readWith(withClause: unknown, outer: CommonTableNames, reading: ReadingBuilder): CommonTableNames {
  const { tables, inside } = openWith(withClause, outer)
  for (const { fields, sees } of tables) readChildren('CommonTableExpr', fields, sees, reading)
  return inside
}

function readRelation(fields: Fields, scope: CommonTableNames, reading: ReadingBuilder): void {
  const relation = relationName(fields)
  if (relation === undefined) return reading.opaque('a relation has no name')
  if (relation.schema === undefined && scope.has(relation.name)) return
  reading.does('select', onRelation(relation))
}

function readSelect(fields: Fields, outer: CommonTableNames, reading: ReadingBuilder): void {
  const scope = readWith(fields['withClause'], outer, reading)
  const into = fieldsOf(fields['intoClause'])
  if (into) makesRelation(into['rel'], reading)
  for (const item of list(fields['lockingClause'])) {
    const clause = nodeOf(item, 'LockingClause')
    if (clause === undefined)
      reading.opaque('it holds something that the gateway does not know (lockingClause)')
    else
      for (const relation of lockedRelations(clause, fields, scope))
        reading.does('lock', onRelation(relation))
  }
  readChildren('SelectStmt', fields, scope, reading, ['withClause', 'intoClause', 'lockingClause'])
}

/**
 * The relation that an INSERT, UPDATE, DELETE or MERGE changes. A WITH name never stands for it: PostgreSQL looks only at
 * real relations there, so neither does this.
 */
function target(fields: Fields, reading: ReadingBuilder) {
  const relation = relationName(fields['relation'])
  if (relation === undefined) reading.opaque('the relation to change has no name')
  return relation
}

function readInsert(fields: Fields, outer: CommonTableNames, reading: ReadingBuilder): void {
  const scope = readWith(fields['withClause'], outer, reading)
  const into = target(fields, reading)
  if (into === undefined) return
  reading.does('insert', onRelation(into))
  const conflict = fieldsOf(fields['onConflictClause'])
  if (text(conflict?.['action']) === 'ONCONFLICT_UPDATE') {
    reading.does('update', onRelation(into))
    if (readsColumns(conflict)) reading.does('select', onRelation(into))
  }
  // The columns that decide what a conflict is are read (INSERT, "Description").
  if (conflict?.['infer'] !== undefined || readsColumns(fields['returningClause'])) {
    reading.does('select', onRelation(into))
  }
  readChildren('InsertStmt', fields, scope, reading, ['withClause', 'relation'])
}

function readUpdateOrDelete(
  action: 'update' | 'delete',
  fields: Fields,
  outer: CommonTableNames,
  reading: ReadingBuilder,
): void {
  const scope = readWith(fields['withClause'], outer, reading)
  const changed = target(fields, reading)
  if (changed === undefined) return
  reading.does(action, onRelation(changed))
  const reads = [
    fields['whereClause'],
    fields['returningClause'],
    action === 'update' ? fields['targetList'] : undefined,
  ]
  if (reads.some(readsColumns)) reading.does('select', onRelation(changed))
  judgeWhere(fields['whereClause'], fields['relation'], reading)
  const done = ['withClause', 'relation']
  readChildren(action === 'update' ? 'UpdateStmt' : 'DeleteStmt', fields, scope, reading, done)
}

const MERGE_ACTIONS: ReadonlyMap<string, 'insert' | 'update' | 'delete'> = new Map([
  ['CMD_INSERT', 'insert'],
  ['CMD_UPDATE', 'update'],
  ['CMD_DELETE', 'delete'],
])

function readMerge(fields: Fields, outer: CommonTableNames, reading: ReadingBuilder): void {
  const scope = readWith(fields['withClause'], outer, reading)
  const into = target(fields, reading)
  if (into === undefined) return
  reading.does('merge', onRelation(into))
  // The join condition is evaluated on every row of the target, whatever it mentions.
  reading.does('select', onRelation(into))
  for (const item of list(fields['mergeWhenClauses'])) {
    const clause = nodeOf(item, 'MergeWhenClause')
    const command = text(clause?.['commandType']) ?? ''
    const action = MERGE_ACTIONS.get(command)
    if (action) reading.does(action, onRelation(into))
    else if (command !== 'CMD_NOTHING') reading.opaque('a MERGE has an action that the gateway does not know')
    if (action === 'update' || action === 'delete') {
      judgeWhere(fields['joinCondition'], fields['relation'], reading, clause?.['condition'])
    }
  }
  readChildren('MergeStmt', fields, scope, reading, ['withClause', 'relation'])
}

/** Whether anything below mentions a column: then the statement reads the relation that it changes. */
function readsColumns(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(readsColumns)
  return Object.entries(value).some(([key, below]) => key === 'ColumnRef' || readsColumns(below))
}
