import type { Result } from './sources.ts'

/** One query of a WITH clause. */
export interface CommonTable {
  readonly name: string
  /** Its columns; read when they are first asked for. */
  result(): Result
}

/**
 * The tables that WITH clauses define at one place of a statement. A bare name that is among them is not a relation
 * (SELECT, "WITH Clause"). Immutable: an inner scope adds to an outer one.
 */
export class CommonTables {
  readonly #outer: CommonTables | undefined
  readonly #tables: ReadonlyMap<string, CommonTable>

  constructor(outer?: CommonTables, tables: readonly CommonTable[] = []) {
    this.#outer = outer
    this.#tables = new Map(tables.map((table) => [table.name, table]))
  }

  find(name: string): CommonTable | undefined {
    return this.#tables.get(name) ?? this.#outer?.find(name)
  }
}
