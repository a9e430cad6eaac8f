import { type CommonTable, CommonTables } from './common-tables.ts'
import type { Scope } from './scope.ts'
import {
  NO_SOURCES,
  type Result,
  type ResultColumn,
  either,
  isEmpty,
  madeOf,
  sizeOf,
  sourcesOf,
} from './sources.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nameParts, nodeOf, tagged, text } from './tree.ts'
import type { Walk } from './walk.ts'

/**
 * What a WITH clause brings into scope: without RECURSIVE a query sees only those before it, so that
 * `WITH t AS (SELECT * FROM t)` reads the real `t`; with RECURSIVE each sees all.
 */
export interface With {
  readonly tables: CommonTables
  /** Reads those that nothing has asked for: they may write. */
  readonly finish: () => void
}

export function readWith(withClause: unknown, around: Scope, walk: Walk): With {
  const clause = fieldsOf(withClause)
  const queries = list(clause?.['ctes']).map((item) => nodeOf(item, 'CommonTableExpr') ?? {})
  if (queries.length === 0) return { tables: around.tables, finish: () => undefined }
  const defined: CommonTableQuery[] = []
  let tables = around.tables
  if (clause?.['recursive'] === true) {
    defined.push(
      ...queries.map((fields) => new CommonTableQuery(fields, () => around.withTables(tables), walk)),
    )
    tables = new CommonTables(tables, defined)
  } else {
    for (const fields of queries) {
      const sees = around.withTables(tables)
      const table = new CommonTableQuery(fields, () => sees, walk)
      defined.push(table)
      tables = new CommonTables(tables, [table])
    }
  }
  return {
    tables,
    finish: () => {
      for (const table of defined) table.result()
    },
  }
}

/** After so many rounds in which a recursive query found further sources, each of its columns has all of them. */
const MAX_ROUNDS = 10

/** Of a recursive query before anything is known of it. */
const NOT_YET_READ: Result = { columns: [], open: NO_SOURCES }

class CommonTableQuery implements CommonTable {
  readonly name: string
  readonly #fields: Fields
  readonly #scope: () => Scope
  readonly #walk: Walk
  #result: Result | undefined
  #isBeingRead = false
  #refersToItself = false

  constructor(fields: Fields, scope: () => Scope, walk: Walk) {
    this.name = text(fields['ctename']) ?? ''
    this.#fields = fields
    this.#scope = scope
    this.#walk = walk
  }

  result(): Result {
    if (this.#isBeingRead) {
      this.#refersToItself = true
      if (this.#result === undefined) {
        this.#result = NOT_YET_READ
        this.#result = this.#readStart() ?? NOT_YET_READ
      }
      return this.#result
    }
    if (this.#result !== undefined) return this.#result
    this.#isBeingRead = true
    try {
      let result = this.#read()
      for (let round = 0; this.#refersToItself && !isSame(result, this.#result); round++) {
        this.#result = round < MAX_ROUNDS ? result : everywhere(result)
        result = this.#read()
        if (round > MAX_ROUNDS && !isSame(result, this.#result)) {
          this.#walk.reading.opaque('its recursion could not be followed')
          break
        }
      }
      this.#result = result
      return result
    } finally {
      this.#isBeingRead = false
    }
  }

  #read(): Result {
    const query = tagged(this.#fields['ctequery'])
    if (query !== undefined) return this.#named(this.#walk.query(query.tag, query.fields, this.#scope()))
    this.#walk.reading.opaque('a WITH query is none')
    return { columns: [], open: 'anything' }
  }

  /** The part of a recursive query that is not recursive: the left side of its UNION. */
  #readStart(): Result | undefined {
    const union = nodeOf(this.#fields['ctequery'], 'SelectStmt')
    const start = fieldsOf(union?.['larg'])
    if (start === undefined || union?.['withClause'] !== undefined) return undefined
    return this.#named(this.#walk.query('SelectStmt', start, this.#scope()))
  }

  #named(result: Result): Result {
    const names = nameParts(this.#fields['aliascolnames'])
    const columns = result.columns.map((column, n) => ({ ...column, name: names[n] ?? column.name }))
    const added = this.#addedColumns().map(
      (name): ResultColumn => ({ name, value: madeOf(sourcesOf(result)) }),
    )
    // The names of a WITH query are those of its columns, even where the query's own are not known.
    const unnamed =
      result.open === undefined
        ? []
        : names
            .slice(columns.length)
            .map((name): ResultColumn => ({ name, value: madeOf(sourcesOf(result)) }))
    return { ...result, columns: [...columns, ...unnamed, ...added] }
  }

  /** What SEARCH and CYCLE add: an order, a mark and the path that was taken. */
  #addedColumns(): readonly string[] {
    const search = fieldsOf(this.#fields['search_clause'])
    const cycle = fieldsOf(this.#fields['cycle_clause'])
    return [
      search?.['search_seq_column'],
      cycle?.['cycle_mark_column'],
      cycle?.['cycle_path_column'],
    ].flatMap((name) => text(name) ?? [])
  }
}

/** From round to round sources only grow, so that as many are the same. */
function isSame(one: Result, other: Result | undefined): boolean {
  if (other === undefined || one.columns.length !== other.columns.length) return false
  if (sizeOf(one.open ?? NO_SOURCES) !== sizeOf(other.open ?? NO_SOURCES)) return false
  if ((one.open === undefined) !== (other.open === undefined)) return false
  return one.columns.every(({ value }, n) => {
    const before = other.columns[n]?.value
    return (
      before !== undefined &&
      (value.sources === 'anything') === (before.sources === 'anything') &&
      sizeOf(value.sources) === sizeOf(before.sources) &&
      value.isPlain === before.isPlain
    )
  })
}

function everywhere(result: Result): Result {
  const all = madeOf(sourcesOf(result))
  return {
    ...result,
    columns: result.columns.map(({ name, value }) => ({
      name,
      value: isEmpty(all.sources) ? value : either(value, all),
    })),
  }
}
