import { combineFlows, type DataFlow, NO_FLOW, UNKNOWN_FLOW } from '../../access/data-flow.ts'
import type { Grant } from '../../access/capability.ts'
import type {
  Action,
  FunctionCall,
  Operation,
  RelationPath,
  Resource,
  StatementFacts,
  StatementReading,
} from '../../access/model.ts'
import { Budget } from './budget.ts'
import type { CopyFormat } from './copy-format.ts'
import type { Names } from './names.ts'
import type { NameChanges, SearchPath } from './search-path.ts'

/** A relation as the statement names it. */
export interface RelationName {
  readonly schema?: string
  readonly name: string
}

/** What an operation is on, as the statement names it. */
export type SqlResource =
  | Exclude<Resource, { readonly type: 'Table' } | { readonly type: 'DataClass' }>
  | ({ readonly type: 'Relation' } & RelationName)

/** Columns that make a WHERE trivial when none of them can be null: `id IS NOT NULL` on a primary key. */
export interface NotNullQuestion {
  readonly relation: RelationName
  readonly columns: readonly string[]
}

/** What a statement does, and the names by which it is tied to others. Plain data: it crosses from the parser's thread. */
export interface SqlReading extends StatementReading {
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
  /** For each statement of the text in order: how its rows are written, where it is a COPY … TO STDOUT. */
  readonly copies: readonly (CopyFormat | undefined)[]
}

/** Which cursors are gone: some by name, all, or all that were not declared WITH HOLD. */
export type ClosedCursors = readonly string[] | 'all' | 'not held'

/** Gathers what one statement does while its tree is walked. */
export class ReadingBuilder {
  readonly names: Names
  readonly budget = new Budget()
  readonly #operations = new Map<string, GatheredOperation>()
  readonly #needs = new Map<string, GatheredGrant>()
  readonly #functions = new Set<string>()
  readonly #executes = new Set<string>()
  readonly #fetches = new Set<string>()
  #closes: ClosedCursors = []
  #copy: CopyFormat | undefined
  #declares: SqlReading['declares']
  readonly #paths: (SearchPath | 'session-start')[] = []
  readonly #temporary: string[] = []
  readonly #calls = new Map<string, FunctionCall>()
  #mayChangePath = false
  #mayRevert = false
  #hasWhere = true
  #whereIsTrivial = false
  #locksRows = false
  #limit: number | undefined
  #prepares: string | undefined
  #opaqueBecause: string | undefined
  #dependsOn: 'shape' | 'text' = 'shape'
  #flow: DataFlow = NO_FLOW

  constructor(names: Names) {
    this.names = names
  }

  /** @param resource a relation counts as everything that its name may mean */
  does(action: Action, resource: SqlResource): void {
    if (resource.type !== 'Relation') return this.#add({ action, resource })
    for (const { schema, name } of this.names.relations(resource)) {
      this.#add({ action, resource: { type: 'Table', schema, table: name } })
    }
  }

  /** An action on one relation that is known; on columns of it, where the action is on columns. */
  doesOn(action: Action, resource: Resource, columns?: Iterable<string>, through?: RelationPath): void {
    this.#add({ action, resource, ...(through === undefined ? {} : { through }) }, columns)
  }

  #add(operation: Operation, columns?: Iterable<string>): void {
    const key = JSON.stringify(operation)
    let gathered = this.#operations.get(key)
    if (gathered === undefined) {
      gathered = { operation, columns: columns === undefined ? undefined : new Set() }
      this.#operations.set(key, gathered)
    }
    // All of it and some columns of it is all of it.
    if (columns === undefined) gathered.columns = undefined
    else for (const column of columns) gathered.columns?.add(column)
  }

  /** A privilege that the target checks; on columns of the relation, where these are enough. */
  needs(grant: Grant): void {
    const { columns, ...rest } = grant
    const key = JSON.stringify([rest.verb, rest.schema, rest.table])
    let gathered = this.#needs.get(key)
    if (gathered === undefined) {
      gathered = { grant: rest, columns: columns === undefined ? undefined : new Set() }
      this.#needs.set(key, gathered)
    }
    if (columns === undefined) gathered.columns = undefined
    else for (const column of columns) gathered.columns?.add(column)
  }

  /** What has been read so far that this action is on. */
  targets(action: Action): readonly Resource[] {
    return [...this.#operations.values()]
      .filter(({ operation }) => operation.action === action && operation.through === undefined)
      .map(({ operation }) => operation.resource)
  }

  /**
   * Nothing of what was read so far is done: it is only planned. To be told the plan of a change is to read, and no
   * privilege to change is needed for it here; the target itself still asks for one.
   */
  onlyPlans(): void {
    const planned = [...this.#operations.values()]
    this.#operations.clear()
    for (const { operation, columns } of planned) {
      const { action, resource } = operation
      const isChange = PLANNED.has(action)
      if (isChange && resource.type === 'Table') this.#add({ ...operation, action: 'select' }, [])
      else if (!isChange && action !== 'create') this.#add(operation, columns)
    }
    for (const [key, { grant }] of this.#needs) if (grant.verb !== 'select') this.#needs.delete(key)
    this.#hasWhere = true
    this.#whereIsTrivial = false
    this.#locksRows = false
    this.#temporary.length = 0
  }

  /** Something is called that is not known to be harmless. */
  get runsUnknownCode(): boolean {
    return [...this.#calls.values()].some(({ harmless }) => !harmless)
  }

  calls(call: FunctionCall): void {
    const name = call.name.toLowerCase()
    this.#functions.add(name)
    this.#calls.set(JSON.stringify(call), { ...call, name })
  }

  /** Only the first reason is kept: it is the one that comes first in the text. */
  opaque(reason: string): void {
    this.#opaqueBecause ??= reason
  }

  get isOpaque(): boolean {
    return this.#opaqueBecause !== undefined
  }

  textMatters(): void {
    this.#dependsOn = 'text'
  }

  /** An UPDATE or DELETE, and what its WHERE comes to. */
  changesRows(where: 'missing' | 'trivial' | 'selective', question?: NotNullQuestion): void {
    if (where === 'missing') this.#hasWhere = false
    if (where === 'trivial' || (question && this.#isNeverNull(question))) this.#whereIsTrivial = true
  }

  #isNeverNull({ relation, columns }: NotNullQuestion): boolean {
    return this.names.relations(relation).some(({ schema, name }) => {
      const known = this.names.index.relation(schema, name)
      return columns.every((one) => known?.columns.some((column) => column.name === one && !column.nullable))
    })
  }

  limits(rows: number): void {
    this.#limit = rows
  }

  locksRows(): void {
    this.#locksRows = true
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

  copiesOut(format: CopyFormat): void {
    this.#copy = format
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

  /** Where the values of its result come from. */
  flows(flow: DataFlow): void {
    this.#flow = flow
  }

  /** What a part of the statement does beside the rest of it. */
  alsoFlows(flow: DataFlow): void {
    this.#flow = combineFlows([this.#flow, flow])
  }

  get flow(): DataFlow {
    return this.#flow
  }

  finish(): SqlReading {
    const operations = [...this.#operations.values()].map(({ operation, columns }) =>
      columns === undefined ? operation : { ...operation, columns: [...columns].toSorted() },
    )
    const isOpaque = this.#opaqueBecause !== undefined
    const changes = this.#changes()
    const facts: StatementFacts = {
      hasWhere: this.#hasWhere,
      whereIsTrivial: this.#whereIsTrivial,
      functions: [...this.#functions].toSorted(),
      multi: false,
      locksRows: this.#locksRows,
      readOnly: !isOpaque && operations.every(({ action }) => READ_ONLY.has(action)),
      ...(this.#limit === undefined ? {} : { limit: this.#limit }),
      reading: isOpaque ? 'opaque' : 'complete',
    }
    return {
      operations,
      facts,
      ...(this.#opaqueBecause === undefined ? {} : { opaqueBecause: this.#opaqueBecause }),
      dependsOn: this.#dependsOn,
      needs: [...this.#needs.values()].map(({ grant, columns }) =>
        columns === undefined ? grant : { ...grant, columns: [...columns].toSorted() },
      ),
      flow: isOpaque ? UNKNOWN_FLOW : this.#flow,
      ...(this.#calls.size === 0 ? {} : { calls: [...this.#calls.values()] }),
      ...(this.#prepares === undefined ? {} : { prepares: this.#prepares }),
      executes: [...this.#executes],
      ...(this.#declares === undefined ? {} : { declares: this.#declares }),
      fetches: [...this.#fetches],
      closes: this.#closes,
      ...(changes === undefined ? {} : { changes }),
      copies: [this.#copy],
    }
  }
}

/** What a statement would do to relations that are there, and does not when it is only planned. */
const PLANNED: ReadonlySet<Action> = new Set(['insert', 'update', 'delete', 'merge', 'lock'])

/** Actions that a read-only transaction lets through. A `lock` is one on rows or on a table, which it does not. */
const READ_ONLY: ReadonlySet<Action> = new Set(['connect', 'select', 'copyOut', 'set', 'listen'])

interface GatheredOperation {
  readonly operation: Operation
  /** Undefined: the action is not on columns, or is on all of them. */
  columns: Set<string> | undefined
}

interface GatheredGrant {
  readonly grant: Grant
  columns: Set<string> | undefined
}

/** The reading of what could not be read at all. */
export function opaqueReading(reason: string): SqlReading {
  return {
    operations: [],
    facts: {
      hasWhere: true,
      whereIsTrivial: false,
      functions: [],
      multi: false,
      locksRows: false,
      readOnly: false,
      reading: 'opaque',
    },
    opaqueBecause: reason,
    dependsOn: 'text',
    needs: [],
    flow: UNKNOWN_FLOW,
    executes: [],
    fetches: [],
    closes: [],
    copies: [],
  }
}
