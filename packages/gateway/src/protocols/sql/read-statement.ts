import { type DataFlow, HIDDEN_FLOW, NO_FLOW, UNKNOWN_FLOW } from '../../access/data-flow.ts'
import { TooMuchToFollow } from './budget.ts'
import { type CatalogIndex, Names } from './names.ts'
import { readCopy } from './read-copy.ts'
import { readDefinition } from './read-definition.ts'
import { readExplain } from './read-explain.ts'
import {
  readCluster,
  readLock,
  readRefresh,
  readReindex,
  readTruncate,
  readVacuum,
} from './read-maintenance.ts'
import { readEach, readNode, readQuery } from './read-query.ts'
import { readTransactionModes, readVariableSet, setConfigOfOneSetting } from './read-setting.ts'
import type { SqlReading } from './reading.ts'
import { opaqueReading, ReadingBuilder } from './reading.ts'
import { makesRelation, newRelations, onRelation, relationName } from './relation-name.ts'
import type { BareNames, SearchPath } from './search-path.ts'
import { storedIn } from './stored-in.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, isFields, list, nodeOf, tagged, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const

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
    if (temporary.length > MAX_TEMPORARY) return opaqueReading('there are too many temporary relations')
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

/** Any of their names can mean two relations. A session that makes more is told so before it is ended. */
const MAX_TEMPORARY = 900

function distinct(paths: readonly SearchPath[]): readonly SearchPath[] {
  return [...new Map(paths.map((path) => [JSON.stringify(path), path])).values()]
}

/** Reads one statement's tree. */
export function readStatement(statement: unknown, names: Names): SqlReading {
  const reading = new ReadingBuilder(names)
  try {
    readOne(statement, reading)
  } catch (error) {
    if (!(error instanceof TooMuchToFollow)) throw error
    reading.opaque(error.message)
  }
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
    readQuery(tag, fields, reading)
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
  ['TruncateStmt', readTruncate],
  ['CopyStmt', (fields, reading) => readCopy(fields, reading, readOne)],
  ['ExplainStmt', (fields, reading) => readExplain(fields, reading, readOne)],
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
      const name = text(fields['name']) ?? ''
      reading.executes(name)
      readEach(fields['params'], reading)
      reading.flows({ ...UNKNOWN_FLOW, executesStatement: name })
    },
  ],
  ['DeallocateStmt', nothing],
  [
    'DeclareCursorStmt',
    (fields, reading) => {
      const options = typeof fields['options'] === 'number' ? fields['options'] : 0
      const name = text(fields['portalname']) ?? ''
      reading.declares(name, (options & CURSOR_OPT_HOLD) !== 0)
      readOne(fields['query'], reading)
      reading.flows({ ...reading.flow, declaresCursor: name })
    },
  ],
  [
    'FetchStmt',
    (fields, reading) => {
      const name = text(fields['portalname']) ?? ''
      reading.fetches(name)
      reading.flows({ ...UNKNOWN_FLOW, fetchesCursor: name })
    },
  ],
  [
    'ClosePortalStmt',
    (fields, reading) => {
      const name = text(fields['portalname'])
      reading.closes(name === undefined ? 'all' : [name])
    },
  ],
  ['CreateTableAsStmt', readCreateTableAs],
  ['TransactionStmt', readTransaction],
  // What was put off is checked at once, and says of which values it does not hold.
  ['ConstraintsSetStmt', (_, reading) => reading.flows(HIDDEN_FLOW)],
  ['VariableSetStmt', readVariableSet],
  ['VariableShowStmt', readShow],
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
      readNode('FuncCall', fieldsOf(fields['funccall']) ?? {}, reading)
      reading.flows(UNKNOWN_FLOW)
    },
  ],
  ['VacuumStmt', readVacuum],
  ['ClusterStmt', readCluster],
  ['ReindexStmt', readReindex],
  ['RefreshMatViewStmt', readRefresh],
])

function readOne(statement: unknown, reading: ReadingBuilder): void {
  const node = tagged(statement)
  if (node === undefined) return reading.opaque('it could not be parsed')
  if (!QUERIES.has(node.tag)) reading.textMatters()
  const rule = RULES.get(node.tag)
  if (rule) return rule(node.fields, reading)
  reading.flows(HIDDEN_FLOW)
  if (!readDefinition(node.tag, node.fields, reading)) {
    reading.opaque(`the gateway does not know this kind of statement (${node.tag})`)
  }
}

function readSelect(fields: Fields, reading: ReadingBuilder): void {
  const setting = setConfigOfOneSetting(fields)
  if (setting !== undefined && !reading.names.isTemporary('pg_settings')) {
    for (const item of list(fields['fromClause'])) {
      const relation = relationName(nodeOf(item, 'RangeVar'))
      if (relation) reading.does('select', onRelation(relation))
    }
    readNode('FuncCall', setting, reading)
    return reading.flows(oneResult(1))
  }
  query('SelectStmt')(fields, reading)
  const into = intoOf(fields)
  if (into !== undefined)
    reading.flows(storedIn(newRelations(into['rel'], reading), list(into['colNames']), reading.flow))
}

/** SELECT INTO: the clause stands in the first of several queries that are put together. */
function intoOf(select: Fields): Fields | undefined {
  const larg = fieldsOf(select['larg'])
  return fieldsOf(select['intoClause']) ?? (larg && intoOf(larg))
}

/** The outermost LIMIT, when it is a number and no ties can exceed it. Its value is then part of the reading. */
function readLimit(fields: Fields, reading: ReadingBuilder): void {
  const constant = nodeOf(fields['limitCount'], 'A_Const')
  const ival = fieldsOf(constant?.['ival'])
  if (fields['limitCount'] !== undefined) reading.textMatters()
  if (ival === undefined || text(fields['limitOption']) !== 'LIMIT_OPTION_COUNT') return
  reading.limits(typeof ival['ival'] === 'number' ? ival['ival'] : 0)
}

function readCreateTableAs(fields: Fields, reading: ReadingBuilder): void {
  const into = fieldsOf(fields['into'])
  const made = makesRelation(into?.['rel'], reading)
  readOne(fields['query'], reading)
  reading.flows(storedIn(made, list(into?.['colNames']), reading.flow))
}

/** What a setting is. SHOW ALL has name, setting and description. */
function readShow(fields: Fields, reading: ReadingBuilder): void {
  reading.flows(oneResult(text(fields['name']) === 'all' ? 3 : 1))
}

/** A result of so many columns with no data of any relation in them. */
function oneResult(width: number): DataFlow {
  return { ...NO_FLOW, outputs: Array.from({ length: width }, () => ({ sources: [], isPlain: false })) }
}

/** Transaction control moves nothing, unless it takes back "read only" or leaves a transaction behind the session. */
function readTransaction(fields: Fields, reading: ReadingBuilder): void {
  const kind = text(fields['kind']) ?? ''
  if (/COMMIT|ROLLBACK/.test(kind)) {
    reading.mayRevert()
    reading.closes(/COMMIT/.test(kind) ? 'not held' : 'all')
    // Constraints that were put off are checked, and say of which values they do not hold.
    reading.flows(HIDDEN_FLOW)
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
