import type { Fields } from './tree.ts'
import { fieldsOf, isFields, list, nodeOf, tagged } from './tree.ts'

/** How many rows a statement would touch: a query that counts them, a number that its text gives, or why neither. */
export type CountQuery =
  | {
      readonly kind: 'query'
      readonly sql: string
      /** Of its parameters, those that the query has too (`$1` is 1). */
      readonly parameters: readonly number[]
    }
  | { readonly kind: 'rows'; readonly rows: number }
  | { readonly kind: 'none'; readonly because: string }

/** PostgreSQL's own parser, and its inverse. */
export interface SqlText {
  /** @throws for what is no SQL */
  parse(sql: string): unknown
  /** @throws for a node that it does not know */
  deparse(node: unknown): string
}

/**
 * The query that counts the rows which a statement would insert, update, delete or truncate, made of the statement's own
 * parse tree: same relation, same WHERE. It is written out, parsed again, and given only when that gives the very tree that
 * was meant, so that a mistake in writing it out can only lose the count, not count something else.
 */
export function countQuery(sql: string, text: SqlText): CountQuery {
  const [first, ...others] = list(fieldsOf(text.parse(sql))?.['stmts'])
  const statement = tagged(fieldsOf(first)?.['stmt'])
  if (statement === undefined || others.length > 0) return none('it is more than one statement')
  const { tag, fields } = statement
  const builder = BUILDERS.get(tag)
  if (builder === undefined) return none('it is not a statement whose rows could be counted beforehand')
  const built = builder(fields)
  if (!isFields(built) || 'kind' in built) return built as CountQuery
  const tree = { SelectStmt: built }
  try {
    const written = text.deparse(tree)
    const [again] = list(fieldsOf(text.parse(written))?.['stmts'])
    if (canonical(fieldsOf(again)?.['stmt']) !== canonical(tree)) return none(NOT_EXACT)
    return { kind: 'query', sql: written, parameters: parametersIn(tree) }
  } catch {
    return none(NOT_EXACT)
  }
}

const NOT_EXACT = 'the query that would count them cannot be written down exactly'

type Built = Fields | CountQuery

const BUILDERS: ReadonlyMap<string, (fields: Fields) => Built> = new Map<string, (fields: Fields) => Built>([
  ['UpdateStmt', (fields) => ofChange(fields, list(fields['fromClause']))],
  ['DeleteStmt', (fields) => ofChange(fields, list(fields['usingClause']))],
  ['InsertStmt', ofInsert],
  ['TruncateStmt', ({ relations }) => ofRelations(list(relations))],
  ['DropStmt', ofDrop],
  ['MergeStmt', () => none('what a MERGE does to a row is only known when it has met it')],
])

function none(because: string): CountQuery {
  return { kind: 'none', because }
}

/** Rows of the target itself: one that several rows of the others match is changed once. */
function ofChange(fields: Fields, others: readonly unknown[]): Built {
  const { relation, whereClause, withClause } = fields
  if (writesInWith(withClause)) return none('it changes data in its WITH as well')
  if (nodeOf(whereClause, 'CurrentOfExpr') !== undefined) return none('it is about the row of a cursor')
  const where =
    others.length === 0
      ? whereClause
      : {
          SubLink: {
            subLinkType: 'EXISTS_SUBLINK',
            subselect: { SelectStmt: select({ fromClause: others, ...given('whereClause', whereClause) }) },
          },
        }
  return select({
    targetList: [COUNT],
    fromClause: [{ RangeVar: relation }],
    ...given('whereClause', where),
    ...given('withClause', withClause),
  })
}

function ofInsert({ selectStmt, withClause }: Fields): Built {
  if (writesInWith(withClause)) return none('it changes data in its WITH as well')
  if (selectStmt === undefined) return { kind: 'rows', rows: 1 }
  const source = nodeOf(selectStmt, 'SelectStmt')
  const values = list(source?.['valuesLists'])
  if (values.length > 0) return { kind: 'rows', rows: values.length }
  if (source === undefined || writesInWith(source['withClause']))
    return none('it changes data in its WITH as well')
  return select({
    targetList: [COUNT],
    fromClause: [{ RangeSubselect: { subquery: selectStmt, alias: { aliasname: 'inserted' } } }],
    ...given('withClause', withClause),
  })
}

function ofDrop({ removeType, objects }: Fields): Built {
  if (removeType !== 'OBJECT_TABLE') return none('it drops no rows')
  const relations = list(objects).map((object) => {
    const names = list(nodeOf(object, 'List')?.['items']).map((item) => nodeOf(item, 'String')?.['sval'])
    const [name, schema] = names.toReversed()
    return { RangeVar: { ...given('schemaname', schema), relname: name, inh: true, relpersistence: 'p' } }
  })
  return ofRelations(relations)
}

function ofRelations(relations: readonly unknown[]): Built {
  const [only, ...others] = relations
  if (only === undefined) return none('it names no table')
  if (others.length > 0) return none('it is about several tables')
  return select({ targetList: [COUNT], fromClause: [only] })
}

/** Only a SELECT in WITH can be run again to count. */
function writesInWith(withClause: unknown): boolean {
  return list(fieldsOf(withClause)?.['ctes']).some(
    (cte) => nodeOf(nodeOf(cte, 'CommonTableExpr')?.['ctequery'], 'SelectStmt') === undefined,
  )
}

const COUNT = {
  ResTarget: {
    val: {
      FuncCall: {
        funcname: [{ String: { sval: 'pg_catalog' } }, { String: { sval: 'count' } }],
        agg_star: true,
        funcformat: 'COERCE_EXPLICIT_CALL',
      },
    },
  },
}

function select(fields: Fields): Fields {
  return { ...fields, limitOption: 'LIMIT_OPTION_DEFAULT', op: 'SETOP_NONE' }
}

function given(name: string, value: unknown): Fields {
  return value === undefined ? {} : { [name]: value }
}

/** Where something stood in a text is not what it says. */
const PLACES: ReadonlySet<string> = new Set([
  'location',
  'stmt_location',
  'stmt_len',
  'list_start',
  'list_end',
  'rexpr_list_start',
  'rexpr_list_end',
])

function canonical(value: unknown): string {
  return JSON.stringify(value, (name, member: unknown) => {
    if (PLACES.has(name)) return undefined
    if (!isFields(member)) return member
    return Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}

function parametersIn(tree: unknown): readonly number[] {
  const found = new Set<number>()
  JSON.stringify(tree, (name, member: unknown) => {
    if (name === 'ParamRef' && isFields(member) && typeof member['number'] === 'number')
      found.add(member['number'])
    return member
  })
  return [...found].toSorted((a, b) => a - b)
}
