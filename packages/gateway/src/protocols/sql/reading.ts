import type { Action, StatementFacts } from '../../access/model.ts'

/** A relation as the statement names it: which schema a bare name means is for the dialect to find out. */
export interface RelationName {
  readonly schema?: string
  readonly name: string
}

/** What an operation is on, before names are resolved. */
export type SqlResource =
  | { readonly type: 'Target' }
  | { readonly type: 'Database' }
  | { readonly type: 'Schema'; readonly schema: string }
  | ({ readonly type: 'Relation' } & RelationName)

export interface SqlOperation {
  readonly action: Action
  readonly resource: SqlResource
}

/** Columns that make a WHERE trivial when none of them can be null: `id IS NOT NULL` on a primary key. */
export interface NotNullQuestion {
  readonly relation: RelationName
  readonly columns: readonly string[]
}

/** One statement, as far as its text alone says. Plain data: it crosses from the parser's thread to the gateway's. */
export interface SqlReading {
  /** Unique; empty when it does nothing that policy would ask about. */
  readonly operations: readonly SqlOperation[]
  readonly facts: StatementFacts
  readonly opaqueBecause?: string
  readonly dependsOn: 'shape' | 'text'
  /** The name under which its inner statement can be run later (PREPARE). */
  readonly prepares?: string
  /** Names of prepared statements that it runs (EXECUTE): it does what they do. */
  readonly executes: readonly string[]
  readonly trivialIfNotNull: readonly NotNullQuestion[]
}

/** Gathers what one statement does while its tree is walked. */
export class ReadingBuilder {
  readonly #operations = new Map<string, SqlOperation>()
  readonly #functions = new Set<string>()
  readonly #executes = new Set<string>()
  readonly #notNull: NotNullQuestion[] = []
  #hasWhere = true
  #whereIsTrivial = false
  #limit: number | undefined
  #prepares: string | undefined
  #opaqueBecause: string | undefined
  #dependsOn: 'shape' | 'text' = 'shape'

  does(action: Action, resource: SqlResource): void {
    this.#operations.set(JSON.stringify([action, resource]), { action, resource })
  }

  /** What has been read so far that this action is on. */
  targets(action: Action): readonly SqlResource[] {
    return [...this.#operations.values()]
      .filter((done) => done.action === action)
      .map((done) => done.resource)
  }

  calls(name: string): void {
    this.#functions.add(name.toLowerCase())
  }

  /** Only the first reason is kept: it is the one that comes first in the text. */
  opaque(reason: string): void {
    this.#opaqueBecause ??= reason
  }

  textMatters(): void {
    this.#dependsOn = 'text'
  }

  /** An UPDATE or DELETE, and what its WHERE comes to. */
  changesRows(where: 'missing' | 'trivial' | 'selective', question?: NotNullQuestion): void {
    if (where === 'missing') this.#hasWhere = false
    if (where === 'trivial') this.#whereIsTrivial = true
    if (question) this.#notNull.push(question)
  }

  limits(rows: number): void {
    this.#limit = rows
  }

  prepares(name: string): void {
    this.#prepares = name
  }

  executes(name: string): void {
    this.#executes.add(name)
  }

  finish(): SqlReading {
    return {
      operations: [...this.#operations.values()],
      facts: {
        hasWhere: this.#hasWhere,
        whereIsTrivial: this.#whereIsTrivial,
        functions: [...this.#functions].toSorted(),
        multi: false,
        locksRows: false,
        readOnly: false,
        ...(this.#limit === undefined ? {} : { limit: this.#limit }),
        reading: this.#opaqueBecause === undefined ? 'complete' : 'opaque',
      },
      ...(this.#opaqueBecause === undefined ? {} : { opaqueBecause: this.#opaqueBecause }),
      dependsOn: this.#dependsOn,
      ...(this.#prepares === undefined ? {} : { prepares: this.#prepares }),
      executes: [...this.#executes],
      trivialIfNotNull: this.#notNull,
    }
  }
}

/** The reading of what could not be read at all. */
export function opaqueReading(reason: string): SqlReading {
  const reading = new ReadingBuilder()
  reading.opaque(reason)
  reading.textMatters()
  return reading.finish()
}
