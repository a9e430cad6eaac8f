import { UNKNOWN_FLOW } from '../../access/data-flow.ts'
import { CommonTableNames } from './common-table-names.ts'
import { type CatalogIndex, Names } from './names.ts'
import { copyFormat } from './copy-format.ts'
import { readDefinition } from './read-definition.ts'
import { readAny, readEach, readNode } from './read-query.ts'
import { readTransactionModes, readVariableSet, setConfigOfOneSetting } from './read-setting.ts'
import type { SqlReading } from './reading.ts'
import { opaqueReading, ReadingBuilder } from './reading.ts'
import { onRelation, relationName, schemaForNew } from './relation-name.ts'
import type { BareNames, SearchPath } from './search-path.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, isFields, list, nodeOf, tagged, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const
const NO_NAMES = new CommonTableNames()

/**
 * Reads libpg-query's parse tree of a simple query: one reading per statement in it, in order; none for an empty query.
 * Pure, and never throws but for a tree too deep for the stack. What it does not know is opaque.
 */
export function readStatements(
  parseTree: unknown,
  index: CatalogIndex,
  names: BareNames,
): readonly SqlReading[] {
  if (!isFields(parseTree)) return [opaqueReading('it could not be parsed')]
  let { paths, temporary } = names
  return list(parseTree['stmts']).map((item, n) => {
    // One that comes later may run after another has set a path, or ended the transaction in which one was set.
    if (n === 1) paths = distinct([...paths, ...names.fallbacks])
    if (paths.length > MAX_PATHS) return opaqueReading('it sets more search paths than can be kept apart')
    const reading = readStatement(
      isFields(item) ? item['stmt'] : undefined,
      new Names(index, paths, temporary),
    )
    const { changes } = reading
    if (changes !== undefined) {
      paths = distinct([...paths, ...changes.paths.filter((path) => path !== 'session-start')])
      temporary = [...new Set([...temporary, ...changes.temporary])]
    }
    return reading
  })
}

/** Every bare name is looked up under each of them. Nobody sets more in one text. */
const MAX_PATHS = 256

function distinct(paths: readonly SearchPath[]): readonly SearchPath[] {
  return [...new Map(paths.map((path) => [JSON.stringify(path), path])).values()]
}

/** Reads one statement's tree. */
export function readStatement(statement: unknown, names: Names): SqlReading {
  const reading = new ReadingBuilder(names)
  readOne(statement, reading)
  // Where its values come from was not followed.
  reading.flows(UNKNOWN_FLOW)
  return reading.finish()
}

/** One kind of statement: adds what it does to the reading. */
type Rule = (fields: Fields, reading: ReadingBuilder) => void

/** Of `DeclareCursorStmt.options` (parsenodes.h). */
const CURSOR_OPT_HOLD = 0x20

const nothing: Rule = () => undefined

const query =
  (tag: string): Rule =>
  (fields, reading) => {
    readLimit(fields, reading)
    readNode(tag, fields, NO_NAMES, reading)
  }

/** Statements whose literals can only be values: their reading depends on their shape. */
const QUERIES: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
])

/** Every statement that is no definition, and what it means. What is in neither table is opaque. */
const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['SelectStmt', readSelect],
  ['InsertStmt', query('InsertStmt')],
  ['UpdateStmt', query('UpdateStmt')],
  ['DeleteStmt', query('DeleteStmt')],
  ['MergeStmt', query('MergeStmt')],
  ['TruncateStmt', (fields, reading) => onEach('truncate', fields['relations'], reading)],
  ['CopyStmt', readCopy],
  // EXPLAIN without ANALYZE runs nothing, but plans with the same privileges, and folds constant calls.
  ['ExplainStmt', (fields, reading) => readOne(fields['query'], reading)],
  [
    'PrepareStmt',
    (fields, reading) => {
      reading.prepares(text(fields['name']) ?? '')
      readOne(fields['query'], reading)
    },
  ],
  [
    'ExecuteStmt',
    (fields, reading) => {
      reading.executes(text(fields['name']) ?? '')
      readEach(fields['params'], NO_NAMES, reading)
    },
  ],
  ['DeallocateStmt', nothing],
  [
    'DeclareCursorStmt',
    (fields, reading) => {
      const options = typeof fields['options'] === 'number' ? fields['options'] : 0
      reading.declares(text(fields['portalname']) ?? '', (options & CURSOR_OPT_HOLD) !== 0)
      readOne(fields['query'], reading)
    },
  ],
  ['FetchStmt', (fields, reading) => reading.fetches(text(fields['portalname']) ?? '')],
  [
    'ClosePortalStmt',
    (fields, reading) => {
      const name = text(fields['portalname'])
      reading.closes(name === undefined ? 'all' : [name])
    },
  ],
  ['CreateTableAsStmt', readCreateTableAs],
  ['TransactionStmt', readTransaction],
  ['ConstraintsSetStmt', nothing],
  ['VariableSetStmt', readVariableSet],
  ['VariableShowStmt', nothing],
  ['DiscardStmt', readDiscard],
  ['LockStmt', readLock],
  ['ListenStmt', (_, reading) => reading.does('listen', DATABASE)],
  ['UnlistenStmt', nothing],
  ['NotifyStmt', (_, reading) => reading.does('notify', DATABASE)],
  [
    'CallStmt',
    (fields, reading) => {
      reading.does('call', DATABASE)
      reading.mayChangePath()
      reading.mayRevert()
      readNode('FuncCall', fieldsOf(fields['funccall']) ?? {}, NO_NAMES, reading)
    },
  ],
  ['VacuumStmt', readVacuum],
  ['ClusterStmt', (fields, reading) => maintains(fields['relation'], reading)],
  ['ReindexStmt', readReindex],
  ['RefreshMatViewStmt', (fields, reading) => maintains(fields['relation'], reading)],
])

function readOne(statement: unknown, reading: ReadingBuilder): void {
  const node = tagged(statement)
  if (node === undefined) return reading.opaque('it could not be parsed')
  if (!QUERIES.has(node.tag)) reading.textMatters()
  const rule = RULES.get(node.tag)
  if (rule) rule(node.fields, reading)
  else if (!readDefinition(node.tag, node.fields, reading)) {
    reading.opaque(`the gateway does not know this kind of statement (${node.tag})`)
  }
}

function readSelect(fields: Fields, reading: ReadingBuilder): void {
  const setting = setConfigOfOneSetting(fields)
  if (setting === undefined) return query('SelectStmt')(fields, reading)
  onEach('select', fields['fromClause'], reading)
  readNode('FuncCall', setting, NO_NAMES, reading)
}

function onEach(action: 'truncate' | 'lock' | 'select', relations: unknown, reading: ReadingBuilder): void {
  for (const item of list(relations)) {
    const relation = relationName(nodeOf(item, 'RangeVar'))
    if (relation) reading.does(action, onRelation(relation))
    else reading.opaque('a relation has no name')
  }
}

function maintains(rangeVar: unknown, reading: ReadingBuilder): void {
  const relation = relationName(rangeVar)
  reading.does('maintain', relation ? onRelation(relation) : DATABASE)
}

/** The outermost LIMIT, when it is a number and no ties can exceed it. Its value is then part of the reading. */
function readLimit(fields: Fields, reading: ReadingBuilder): void {
  const constant = nodeOf(fields['limitCount'], 'A_Const')
  const ival = fieldsOf(constant?.['ival'])
  if (fields['limitCount'] !== undefined) reading.textMatters()
  if (ival === undefined || text(fields['limitOption']) !== 'LIMIT_OPTION_COUNT') return
  reading.limits(typeof ival['ival'] === 'number' ? ival['ival'] : 0)
}

function readCopy(fields: Fields, reading: ReadingBuilder): void {
  if (fields['is_program'] === true)
    return reading.opaque("COPY … PROGRAM runs a program on the database's host")
  if (fields['filename'] !== undefined) {
    return reading.opaque(
      "COPY with a file reads or writes files of the database's host; use STDIN or STDOUT",
    )
  }
  const relation = relationName(fields['relation'])
  if (fields['is_from'] === true) {
    if (relation === undefined) return reading.opaque('COPY FROM has no relation')
    reading.does('copyIn', onRelation(relation))
    reading.does('insert', onRelation(relation))
    readAny(fields['whereClause'], NO_NAMES, reading)
  } else if (relation) {
    reading.copiesOut(copyFormat(fields))
    reading.does('copyOut', onRelation(relation))
    reading.does('select', onRelation(relation))
  } else {
    reading.copiesOut(copyFormat(fields))
    readOne(fields['query'], reading)
    const read = reading.targets('select')
    for (const resource of read) reading.doesOn('copyOut', resource)
    if (read.length === 0) reading.does('copyOut', DATABASE)
  }
}

function readCreateTableAs(fields: Fields, reading: ReadingBuilder): void {
  const into = fieldsOf(fields['into'])
  reading.does('create', schemaForNew(into?.['rel']))
  readOne(fields['query'], reading)
}

/** Transaction control moves nothing, unless it takes back "read only" or leaves a transaction behind the session. */
function readTransaction(fields: Fields, reading: ReadingBuilder): void {
  const kind = text(fields['kind']) ?? ''
  if (/COMMIT|ROLLBACK/.test(kind)) {
    reading.mayRevert()
    reading.closes(/COMMIT/.test(kind) ? 'not held' : 'all')
  }
  if (/PREPARE/.test(kind))
    return reading.opaque('a prepared transaction outlives the session that it belongs to')
  readTransactionModes(fields['options'], reading)
}

function readDiscard(fields: Fields, reading: ReadingBuilder): void {
  const target = text(fields['target'])
  if (target !== 'DISCARD_ALL') return
  reading.setsPath('session-start')
  reading.closes('all')
}

/** ACCESS SHARE is what every SELECT takes, and needs no more than SELECT (LOCK, "Notes"). */
const ACCESS_SHARE_LOCK = 1

function readLock(fields: Fields, reading: ReadingBuilder): void {
  onEach(fields['mode'] === ACCESS_SHARE_LOCK ? 'select' : 'lock', fields['relations'], reading)
}

function readVacuum(fields: Fields, reading: ReadingBuilder): void {
  const relations = list(fields['rels']).map((item) => nodeOf(item, 'VacuumRelation')?.['relation'])
  if (relations.length === 0) reading.does('maintain', DATABASE)
  for (const relation of relations) maintains(relation, reading)
}

function readReindex(fields: Fields, reading: ReadingBuilder): void {
  const schema = text(fields['name'])
  if (text(fields['kind']) === 'REINDEX_OBJECT_SCHEMA' && schema !== undefined) {
    reading.does('maintain', { type: 'Schema', schema })
  } else maintains(fields['relation'], reading)
}
