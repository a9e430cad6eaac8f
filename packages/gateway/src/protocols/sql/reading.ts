import type { Action, StatementFacts } from '../../access/model.ts'
import type { NameChanges, SearchPath } from './search-path.ts'

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
  /** The cursor that it opens over its query (DECLARE). */
  readonly declares?: { readonly name: string; readonly isHeld: boolean }
  /** Cursors that it reads or moves (FETCH, MOVE): it does what their queries do. */
  readonly fetches: readonly string[]
  /** Cursors that are gone after it. */
  readonly closes: ClosedCursors
  /** Left out: bare names mean the same after it as before. */
  readonly changes?: NameChanges
  readonly trivialIfNotNull: readonly NotNullQuestion[]
}

/** Which cursors are gone: some by name, all, or all that were not declared WITH HOLD. */
export type ClosedCursors = readonly string[] | 'all' | 'not held'

/** Gathers what one statement does while its tree is walked. */
export class ReadingBuilder {
  readonly #operations = new Map<string, SqlOperation>()
  readonly #functions = new Set<string>()
  readonly #executes = new Set<string>()
  readonly #fetches = new Set<string>()
  #closes: ClosedCursors = []
  #declares: SqlReading['declares']
  readonly #paths: (SearchPath | 'session-start')[] = []
  readonly #temporary: string[] = []
  #mayChangePath = false
  #mayRevert = false
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

  declares(name: string, isHeld: boolean): void {
    this.#declares = { name, isHeld }
  }

  fetches(name: string): void {
    this.#fetches.add(name)
  }

  closes(cursors: ClosedCursors): void {
    this.#closes = cursors
  }

  setsPath(path: SearchPath | 'session-start'): void {
    this.#paths.push(path)
  }

  /** It runs code that can set anything. */
  mayChangePath(): void {
    this.#mayChangePath = true
  }

  /** What was set, declared and made in this transaction may be gone. */
  mayRevert(): void {
    this.#mayRevert = true
  }

  makesTemporary(name: string): void {
    this.#temporary.push(name)
  }

  #changes(): NameChanges | undefined {
    const paths = this.#paths
    const temporary = this.#temporary
    if (paths.length + temporary.length === 0 && !this.#mayChangePath && !this.#mayRevert) return undefined
    return { paths, temporary, mayChangePath: this.#mayChangePath, mayRevert: this.#mayRevert }
  }

  finish(): SqlReading {
    const changes = this.#changes()
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
      ...(this.#declares === undefined ? {} : { declares: this.#declares }),
      fetches: [...this.#fetches],
      closes: this.#closes,
      ...(changes === undefined ? {} : { changes }),
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
