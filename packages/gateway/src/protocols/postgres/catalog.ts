import { createHash } from 'node:crypto'
import {
  type Catalog,
  type Column,
  type ForeignKey,
  isSystemSchema,
  type ReferentialAction,
  type Relation,
  type RelationId,
  type RelationUse,
  type Routine,
  type Trigger,
} from '../../access/catalog.ts'
import { SallyportError } from '../../access/errors.ts'
import { parseSearchPath } from '../sql/search-path.ts'
import { DATABASE, EXPRESSIONS, FINGERPRINT, MOST, RELATIONS, ROUTINES } from './catalog-queries.ts'
import type { Query } from './credentials-connections.ts'
import { sqlstateOf } from './credentials-errors.ts'

/** Stands for an expression that the target would not say; no SQL expression. */
const UNSAID = '?'
/** Whoever is changing a table must not keep sessions from opening. */
const EXPRESSIONS_LOCK_MS = 500

interface DatabaseRow {
  readonly version: number
  readonly path: string
  readonly schemas: readonly string[]
  readonly operators: Catalog['operators']
}

type Named = readonly [schema: string, name: string]

interface RelationRow extends RelationId {
  readonly oid: number
  /** `pg_class.relkind` */
  readonly kind: string
  readonly users: boolean
  readonly columns: readonly (readonly [string, string, boolean, number, boolean])[] | null
  readonly sequences: readonly Named[] | null
  readonly parents: readonly Named[] | null
  readonly rules: boolean
  readonly triggers: readonly (readonly [string, number, ...Named])[] | null
  readonly foreignKeys: readonly (readonly [string, readonly string[], ...Named, string, string])[] | null
  readonly uses: readonly (readonly [...Named, readonly string[]])[] | null
  readonly invoker: boolean
}

interface RoutineRow extends RelationId {
  /** `pg_proc.prokind`, `pg_proc.provolatile` */
  readonly kind: string
  readonly volatility: string
  readonly arguments: string
  readonly set: boolean
  readonly definer: boolean
  readonly language: string
}

const RELATION_KINDS: Readonly<Record<string, Relation['kind']>> = {
  r: 'table',
  v: 'view',
  m: 'materialized-view',
  p: 'partitioned-table',
  f: 'foreign-table',
}
const ROUTINE_KINDS: Readonly<Record<string, Routine['kind']>> = {
  f: 'function',
  p: 'procedure',
  a: 'aggregate',
  w: 'window',
}
const VOLATILITIES: Readonly<Record<string, Routine['volatility']>> = {
  i: 'immutable',
  s: 'stable',
  v: 'volatile',
}
/** `pg_constraint.confdeltype` */
const ACTIONS: Readonly<Record<string, ReferentialAction>> = {
  a: 'refuses',
  r: 'refuses',
  c: 'cascades',
  n: 'changes',
  d: 'changes',
}
/** `pg_trigger.tgtype` (PostgreSQL, `catalog/pg_trigger.h`) */
const TRIGGER_EVENTS = [
  [4, 'insert'],
  [8, 'delete'],
  [16, 'update'],
  [32, 'truncate'],
] as const

/**
 * Reads what there is in the database, whoever may use it, as of one moment.
 * @param query runs one statement on the target in a transaction that has just begun, with `search_path` set to
 *   `pg_catalog`
 * @returns sorted by name. The version also hangs on the relations' oids: a table that was dropped and made
 *   again has lost its grants though it looks the same.
 * @throws SallyportError TARGET_ISSUER_FAILED when there is more than can be held
 */
export async function readCatalog(query: Query): Promise<Catalog> {
  const [database] = await query<DatabaseRow>(DATABASE)
  if (database === undefined) throw unreadable('did not say what it is')
  const searchPath = parseSearchPath(database.path)
  if (searchPath === undefined) throw unreadable(`has a search_path that is none: ${database.path}`)
  const rows = await query<RelationRow>(RELATIONS)
  if (rows.length > MOST.relations) throw unreadable(`has more than ${MOST.relations} relations`)
  const columns = rows.reduce((sum, row) => sum + (row.columns?.length ?? 0), 0)
  if (columns > MOST.columns) throw unreadable(`has more than ${MOST.columns} columns`)
  const routines = await query<RoutineRow>(ROUTINES)
  if (routines.length > MOST.routines) throw unreadable(`has more than ${MOST.routines} routines`)
  const expressions = await readExpressions(query)
  const content = {
    serverVersion: database.version,
    schemas: database.schemas,
    searchPath,
    relations: rows.map((row) => relationOf(row, expressions)),
    functions: routines.map(routineOf),
    operators: database.operators,
  }
  const version = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  return { version: version.slice(0, 32), ...content }
}

/**
 * Tells whether the catalog may have changed, at a fraction of the cost of reading it.
 * @returns the same text for the same catalog
 */
export async function catalogFingerprint(query: Query): Promise<string> {
  const [row] = await query<{ fingerprint: string }>(FINGERPRINT)
  if (row === undefined) throw unreadable('did not say what it is')
  return row.fingerprint
}

/** False when some expression could not be read: it has to be tried again though nothing else changes. */
export function isComplete(catalog: Catalog): boolean {
  return !catalog.relations.some(
    ({ kind, schema, definition, columns }) =>
      (!isSystemSchema(schema) && /view/.test(kind) && definition === undefined) ||
      columns.some(({ generatedFrom }) => generatedFrom === UNSAID),
  )
}

type Expressions = ReadonlyMap<string, string>

/** Empty when somebody is changing a table, or dropping a view, just then: the next reading will have them. */
async function readExpressions(query: Query): Promise<Expressions> {
  await query('SAVEPOINT expressions')
  try {
    await query(`SET LOCAL lock_timeout = ${EXPRESSIONS_LOCK_MS}`)
    const rows = await query<{ relation: number; number: number; text: string | null }>(EXPRESSIONS)
    return new Map(
      rows.flatMap(({ relation, number, text }) => (text === null ? [] : [[`${relation} ${number}`, text]])),
    )
  } catch (error) {
    if (sqlstateOf(error) === undefined) throw error
    await query('ROLLBACK TO SAVEPOINT expressions')
    return new Map()
  }
}

function relationOf(row: RelationRow, expressions: Expressions): Relation {
  const { oid, schema, name } = row
  const kind = RELATION_KINDS[row.kind]
  if (kind === undefined) throw unreadable(`has a relation of kind "${row.kind}"`)
  const definition = expressions.get(`${oid} 0`)
  return {
    oid,
    schema,
    name,
    kind,
    columns: (row.columns ?? []).map((column) => columnOf(column, oid, expressions)),
    sequences: (row.sequences ?? []).map(idOf),
    ...(definition === undefined ? {} : { definition }),
    uses: (row.uses ?? []).map(([schema, name, columns]): RelationUse => ({ schema, name, columns })),
    ...(row.invoker ? { invokerRights: true } : {}),
    parents: (row.parents ?? []).map(idOf),
    hasRules: row.rules,
    triggers: (row.triggers ?? []).map(triggerOf),
    foreignKeys: (row.foreignKeys ?? []).map(foreignKeyOf),
  }
}

function columnOf(
  [name, type, nullable, number, isGenerated]: readonly [string, string, boolean, number, boolean],
  oid: number,
  expressions: Expressions,
): Column {
  const column = { name, type, nullable, number }
  if (!isGenerated) return column
  return { ...column, generatedFrom: expressions.get(`${oid} ${number}`) ?? UNSAID }
}

function idOf([schema, name]: Named): RelationId {
  return { schema, name }
}

function triggerOf([name, type, schema, routine]: readonly [string, number, ...Named]): Trigger {
  const on = TRIGGER_EVENTS.flatMap(([bit, event]) => ((type & bit) === 0 ? [] : [event]))
  return { name, on, function: { schema, name: routine } }
}

function foreignKeyOf([name, columns, schema, table, onDelete, onUpdate]: readonly [
  string,
  readonly string[],
  ...Named,
  string,
  string,
]): ForeignKey {
  return {
    name,
    columns,
    references: { schema, name: table },
    // What PostgreSQL may add one day is taken for what does most.
    onDelete: ACTIONS[onDelete] ?? 'cascades',
    onUpdate: ACTIONS[onUpdate] ?? 'cascades',
  }
}

function routineOf(row: RoutineRow): Routine {
  const { schema, name, language } = row
  const kind = ROUTINE_KINDS[row.kind]
  if (kind === undefined) throw unreadable(`has a routine of kind "${row.kind}"`)
  return {
    schema,
    name,
    kind,
    arguments: row.arguments,
    volatility: VOLATILITIES[row.volatility] ?? 'volatile',
    returnsSet: row.set,
    securityDefiner: row.definer,
    language,
  }
}

function unreadable(why: string): SallyportError {
  return new SallyportError('TARGET_ISSUER_FAILED', `the target ${why}`)
}
