import type { CommonTables } from './common-tables.ts'
import type { RelationUse } from './relation-uses.ts'
import {
  ANYTHING,
  CLEAN,
  type ResultColumn,
  type Sources,
  type Value,
  either,
  madeOf,
  sourcesOf,
  union,
  unionAll,
} from './sources.ts'
import type { Walk } from './walk.ts'

/** A column of something in FROM. */
export interface RangeColumn extends ResultColumn {
  /** The columns of relations that are read with it. Of a subquery none: those were read within it. */
  readonly reads: readonly { readonly use: RelationUse; readonly column: string }[]
}

export interface RangeOptions {
  readonly alias?: string | undefined
  /** A relation without an alias may be named with its schema. */
  readonly schemas?: readonly string[]
  readonly columns: readonly RangeColumn[]
  readonly open?: Sources | undefined
  readonly uses?: readonly RelationUse[]
  readonly locks?: readonly RelationUse[]
  readonly hasName?: boolean
  readonly hasColumns?: boolean
}

/** One entry of a range table: a relation, a subquery, a function, a join (PostgreSQL's `ParseNamespaceItem`). */
export class RangeEntry {
  readonly alias: string | undefined
  readonly schemas: readonly string[]
  readonly columns: readonly RangeColumn[]
  /** It has further columns, with values of these sources, whose names are not known. */
  readonly open: Sources | undefined
  /** The relation that it is, under each path that may be in force. */
  readonly uses: readonly RelationUse[]
  /** What FOR UPDATE on it locks. */
  readonly locks: readonly RelationUse[]
  /** Whether its name can be used before a dot, and its columns without. */
  readonly hasName: boolean
  readonly hasColumns: boolean
  #byName: Map<string, RangeColumn[]> | undefined
  #row: Value | undefined

  constructor(options: RangeOptions) {
    this.alias = options.alias
    this.schemas = options.schemas ?? []
    this.columns = options.columns
    this.open = options.open
    this.uses = options.uses ?? []
    this.locks = options.locks ?? this.uses
    this.hasName = options.hasName ?? true
    this.hasColumns = options.hasColumns ?? true
  }

  /** All columns of this name: more than one makes the name ambiguous. */
  named(name: string): readonly RangeColumn[] {
    if (this.#byName === undefined) {
      this.#byName = new Map()
      for (const column of this.columns) {
        const same = this.#byName.get(column.name)
        if (same === undefined) this.#byName.set(column.name, [column])
        else same.push(column)
      }
    }
    return this.#byName.get(name) ?? []
  }

  /** As a composite value. */
  get row(): Value {
    this.#row ??= {
      ...madeOf(
        sourcesOf({ columns: this.columns, ...(this.open === undefined ? {} : { open: this.open }) }),
      ),
      fields: this.columns,
    }
    return this.#row
  }

  /** The same as the left or right of a join, of which only the name stays visible. */
  withoutColumns(): RangeEntry {
    return new RangeEntry({ ...this.#options(), hasColumns: false })
  }

  #options(): RangeOptions {
    const { alias, schemas, columns, open, uses, locks, hasName, hasColumns } = this
    return { alias, schemas, columns, open, uses, locks, hasName, hasColumns }
  }
}

/** What names mean at one place of a query: its own range table, then those of the queries around it. */
export class Scope {
  readonly entries: readonly RangeEntry[]
  readonly outer: Scope | undefined
  readonly tables: CommonTables
  /** What the named windows are ordered and partitioned by. */
  readonly windows: ReadonlyMap<string, Sources>

  constructor(
    entries: readonly RangeEntry[],
    outer: Scope | undefined,
    tables: CommonTables,
    windows: ReadonlyMap<string, Sources> = new Map(),
  ) {
    this.entries = entries
    this.outer = outer
    this.tables = tables
    this.windows = windows
  }

  with(entries: readonly RangeEntry[]): Scope {
    return new Scope([...this.entries, ...entries], this.outer, this.tables, this.windows)
  }

  withWindows(windows: ReadonlyMap<string, Sources>): Scope {
    return new Scope(this.entries, this.outer, this.tables, windows)
  }

  withTables(tables: CommonTables): Scope {
    return new Scope(this.entries, this.outer, tables, this.windows)
  }
}

/** Columns that every table has beside its own (PostgreSQL, "System Columns"). They tell where a row lies, not what is in it. */
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(['ctid', 'xmin', 'cmin', 'xmax', 'cmax', 'tableoid'])

/** A column is read: the privilege is needed, and its value is looked at. */
export function readColumn(column: RangeColumn, walk: Walk): Value {
  for (const { use, column: name } of column.reads) use.reads.add(name)
  walk.flow.touches(column.value.sources)
  return column.value
}

/** All columns of an entry, as one composite value. */
export function readRow(entry: RangeEntry, walk: Walk): Value {
  walk.budget.spend(entry.columns.length)
  for (const column of entry.columns) readColumn(column, walk)
  if (entry.open !== undefined) {
    walk.flow.touches(entry.open)
    for (const use of entry.uses) use.readsWhole = true
  }
  return entry.row
}

/**
 * What a column reference means (`transformColumnRef`): one name is a column of the innermost query that has one of that
 * name, or else a whole row; two are a column of a range table entry. A name that nothing bears may be a column that
 * the catalog does not know yet, so that its value can be anything.
 */
export function resolveColumn(names: readonly string[], scope: Scope, walk: Walk): Value {
  walk.budget.spend(1)
  const name = names.at(-1) ?? ''
  if (names.length === 1) return resolveBare(name, scope, walk)
  const found = findEntries(names.slice(0, -1), scope)
  return found.length === 0
    ? ANYTHING
    : found.map((entry) => columnOf(entry, name, walk)).reduce((one, other) => either(one, other))
}

function resolveBare(name: string, scope: Scope, walk: Walk): Value {
  let maybe: Value | undefined
  for (let level: Scope | undefined = scope; level !== undefined; level = level.outer) {
    const found: Value[] = []
    for (const entry of level.entries) {
      if (!entry.hasColumns) continue
      walk.budget.spend(1)
      for (const column of entry.named(name)) found.push(readColumn(column, walk))
      if (found.length === 0 && entry.uses.length > 0 && SYSTEM_COLUMNS.has(name)) {
        for (const use of entry.uses) use.readsWhole = true
        found.push(CLEAN)
      }
    }
    if (found.length > 0) return [...found, ...(maybe === undefined ? [] : [maybe])].reduce(either)
    // It may be one of the columns that are not known here, or one from further out.
    for (const entry of level.entries) {
      if (!entry.hasColumns || entry.open === undefined) continue
      for (const use of entry.uses) use.readsWhole = true
      walk.flow.touches(entry.open)
      const one = madeOf(entry.open)
      maybe = maybe === undefined ? one : either(maybe, one)
    }
  }
  const rows = findEntries([name], scope).map((entry) => readRow(entry, walk))
  if (rows.length > 0) {
    const [only] = rows
    if (rows.length === 1 && only !== undefined && maybe === undefined) return only
    return [...rows, ...(maybe === undefined ? [] : [maybe])].reduce(either)
  }
  return maybe ?? ANYTHING
}

/** The entries of the innermost query that has any of this name. PostgreSQL would not take more than one. */
export function findEntries(names: readonly string[], scope: Scope): readonly RangeEntry[] {
  const name = names.at(-1) ?? ''
  const schema = names.at(-2)
  for (let level: Scope | undefined = scope; level !== undefined; level = level.outer) {
    const found = level.entries.filter(
      (entry) =>
        entry.hasName && entry.alias === name && (schema === undefined || entry.schemas.includes(schema)),
    )
    if (found.length > 0) return found
  }
  return []
}

function columnOf(entry: RangeEntry, name: string, walk: Walk): Value {
  const columns = entry.named(name)
  if (columns.length > 0) return columns.map((column) => readColumn(column, walk)).reduce(either)
  if (entry.uses.length > 0 && SYSTEM_COLUMNS.has(name)) {
    for (const use of entry.uses) use.readsWhole = true
    return CLEAN
  }
  if (entry.open !== undefined) {
    for (const use of entry.uses) use.readsWhole = true
    walk.flow.touches(entry.open)
    return madeOf(entry.open)
  }
  // `c.name` can also mean `name(c)` (PostgreSQL, "Using Composite Types in Queries").
  return madeOf(union(readRow(entry, walk).sources, 'anything'))
}

/** What `*` and `c.*` stand for, in order. */
export function expandStar(
  names: readonly string[],
  scope: Scope,
  walk: Walk,
): { readonly columns: readonly ResultColumn[]; readonly open?: Sources } {
  const entries =
    names.length === 0 ? scope.entries.filter((entry) => entry.hasColumns) : findEntries(names, scope)
  if (entries.length === 0 || (names.length > 0 && entries.length > 1))
    return { columns: [], open: 'anything' }
  for (const entry of entries) readRow(entry, walk)
  const open = entries.flatMap((entry) => (entry.open === undefined ? [] : [entry.open]))
  const columns = entries.flatMap((entry) => entry.columns)
  return open.length === 0 ? { columns } : { columns, open: unionAll(open) }
}
