import type { Fields } from './tree.ts'
import { fieldsOf, list, nodeOf, text } from './tree.ts'

/**
 * The names that WITH clauses define at one place of a statement. A bare name that is among them is not a relation
 * (SELECT, "WITH Clause"). Immutable: an inner scope adds to an outer one.
 */
export class CommonTableNames {
  readonly #outer: CommonTableNames | undefined
  readonly #name: string | undefined

  constructor(outer?: CommonTableNames, name?: string) {
    this.#outer = outer
    this.#name = name
  }

  and(name: string): CommonTableNames {
    return new CommonTableNames(this, name)
  }

  has(name: string): boolean {
    if (this.#name === name) return true
    return this.#outer?.has(name) ?? false
  }
}

/** One query of a WITH clause, and the names that it sees. */
export interface CommonTable {
  readonly fields: Fields
  readonly sees: CommonTableNames
}

/**
 * What a WITH clause brings into scope: without RECURSIVE a query sees only those before it, so that
 * `WITH t AS (SELECT * FROM t)` reads the real `t`; with RECURSIVE each sees all.
 */
export function openWith(
  withClause: unknown,
  outer: CommonTableNames,
): { readonly tables: readonly CommonTable[]; readonly inside: CommonTableNames } {
  const clause = fieldsOf(withClause)
  const queries = list(clause?.['ctes']).map((item) => nodeOf(item, 'CommonTableExpr') ?? {})
  const inside = queries.reduce((scope, fields) => scope.and(nameOf(fields)), outer)
  if (clause?.['recursive'] === true)
    return { tables: queries.map((fields) => ({ fields, sees: inside })), inside }
  let sees = outer
  const tables = queries.map((fields) => {
    const table = { fields, sees }
    sees = sees.and(nameOf(fields))
    return table
  })
  return { tables, inside }
}

function nameOf(fields: Fields): string {
  return text(fields['ctename']) ?? ''
}
