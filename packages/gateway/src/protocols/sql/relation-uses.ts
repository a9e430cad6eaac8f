import { isSystemSchema, type Relation, type RelationId } from '../../access/catalog.ts'
import type { Action, RelationPath } from '../../access/model.ts'
import type { Verb } from '../../access/capability.ts'
import { relationsAbove, relationsBelow, relationsReferring } from './related-relations.ts'
import type { ReadingBuilder } from './reading.ts'
import type { ViewReading } from './view-reading.ts'

/** One relation that a statement names, and what the statement does with it. */
export interface RelationUse extends RelationId {
  /** Undefined for one that the catalog does not know. */
  readonly relation: Relation | undefined
  /** Of a view: what it reads. */
  readonly view: ViewReading | undefined
  /** Columns whose values are read. */
  readonly reads: Set<string>
  /** All of it is read, or columns that nobody can name: system columns, those of an unknown relation. */
  readsWhole: boolean
  /** It stands in FROM. */
  isFrom: boolean
  /** Relations that inherit from it are read too: it is not named with ONLY. */
  withDescendants: boolean
}

type Write = 'insert' | 'update' | 'delete'

/** Beyond so many partitions a statement's operations are too many to decide on. */
const MAX_RELATED = 10_000

/** The relations of one statement: each once, whatever it is called there. */
export class RelationUses {
  readonly #uses = new Map<string, RelationUse>()

  of(id: RelationId, relation: Relation | undefined, view: ViewReading | undefined): RelationUse {
    const key = `${id.schema}\0${id.name}`
    const known = this.#uses.get(key)
    if (known !== undefined) return known
    const { schema, name } = id
    const reads = new Set<string>()
    const use = {
      schema,
      name,
      relation,
      view,
      reads,
      readsWhole: false,
      isFrom: false,
      withDescendants: false,
    }
    this.#uses.set(key, use)
    return use
  }

  [Symbol.iterator](): Iterator<RelationUse> {
    return this.#uses.values()
  }

  /** Says what was read, now that all of the statement has been seen. */
  finish(reading: ReadingBuilder): void {
    for (const use of this.#uses.values()) {
      if (!use.isFrom && use.reads.size === 0 && !use.readsWhole) continue
      const columns = use.readsWhole ? undefined : use.reads
      doesWith('select', use, columns, reading)
      needs('select', use, columns, reading)
    }
  }
}

/** An INSERT, UPDATE or DELETE: the operation, what follows from it, and the privilege. */
export function writes(
  action: Write,
  use: RelationUse,
  columns: readonly string[] | undefined,
  reading: ReadingBuilder,
): void {
  if (use.relation?.hasRules === true)
    reading.opaque(
      `writing to ${use.schema}.${use.name} runs a rewrite rule, which the gateway does not read`,
    )
  doesWith(action, use, columns, reading)
  if (action !== 'insert') cascades(action, use, columns, reading)
  if (action === 'delete') need('delete', use, undefined, reading)
  else needs(action, use, columns, reading)
}

/** FOR UPDATE and the like: PostgreSQL asks for UPDATE on one column at least. */
export function locks(use: RelationUse, reading: ReadingBuilder): void {
  reading.locksRows()
  doesWith('lock', use, undefined, reading)
  needs('update', use, [], reading)
}

/** SELECT, INSERT and UPDATE are checked by column: where none is named, a privilege on any of them is enough. */
function needs(
  verb: 'select' | 'insert' | 'update',
  use: RelationUse,
  columns: Iterable<string> | undefined,
  reading: ReadingBuilder,
): void {
  need(verb, use, columns === undefined ? undefined : [...columns], reading)
}

function need(
  verb: Verb,
  use: RelationUse,
  columns: readonly string[] | undefined,
  reading: ReadingBuilder,
): void {
  const { schema, name } = use
  // Everybody may read those, or nobody may be given more of them.
  if (isSystemSchema(schema)) return
  reading.needs({ verb, schema, table: name, ...(columns === undefined ? {} : { columns }) })
  if (use.relation?.invokerRights !== true) return
  for (const grant of use.view?.needs ?? []) reading.needs(grant)
  if (verb === 'select') return
  for (const base of use.view?.direct ?? []) {
    const below = columns?.flatMap((column) => columnBelow(use, column, base))
    reading.needs({
      verb,
      schema: base.schema,
      table: base.name,
      ...(below === undefined ? {} : { columns: below }),
    })
  }
}

/** The operation on a relation, and on all that it leads to. */
function doesWith(
  action: Action,
  use: RelationUse,
  columns: Iterable<string> | undefined,
  reading: ReadingBuilder,
): void {
  const isOnColumns = action === 'select' || action === 'insert' || action === 'update'
  const named = isOnColumns && columns !== undefined ? [...columns] : undefined
  reading.doesOn(action, tableOf(use), named)
  if (use.relation === undefined) return
  const through = (id: RelationId, by: RelationPath['by'], below: readonly string[] | undefined) =>
    reading.doesOn(action, tableOf(id), below, { schema: use.schema, table: use.name, by })
  const { index } = reading.names
  for (const parent of relationsAbove(use.relation, index)) through(parent, 'partition', named)
  if (use.withDescendants || action !== 'select') {
    const below = relationsBelow(use.relation, index)
    if (below.length > MAX_RELATED)
      reading.opaque(`${use.schema}.${use.name} has more partitions than the gateway can decide on`)
    else for (const child of below) through(child, 'parent', named)
  }
  if (use.view !== undefined) throughView(action, use, named, through)
}

type Through = (id: RelationId, by: RelationPath['by'], columns: readonly string[] | undefined) => void

/** Reading a view reads what these columns are made of, and what decides which rows there are. */
function throughView(
  action: Action,
  use: RelationUse,
  columns: readonly string[] | undefined,
  through: Through,
): void {
  const { view } = use
  if (view === undefined) return
  if (action !== 'select') {
    for (const base of view.direct)
      through(
        base,
        'view',
        columns?.flatMap((column) => columnBelow(use, column, base)),
      )
    return
  }
  const below = new Map<string, Set<string>>(view.all.map((id) => [`${id.schema}\0${id.name}`, new Set()]))
  const add = (sources: Iterable<RelationId & { readonly column: string }>) => {
    for (const { schema, name, column } of sources) below.get(`${schema}\0${name}`)?.add(column)
  }
  add(view.always)
  for (const { name, value } of view.result.columns) {
    const isRead = columns === undefined || columns.includes(name)
    if (isRead && value.sources !== 'anything') add(value.sources)
  }
  for (const id of view.all) {
    if (id.schema === use.schema && id.name === use.name) continue
    through(id, 'view', [...(below.get(`${id.schema}\0${id.name}`) ?? [])])
  }
}

/** The columns of a relation below a view that a column of the view stands for. */
function columnBelow(use: RelationUse, column: string, base: RelationId): readonly string[] {
  const found = use.view?.result.columns.find(({ name }) => name === column)?.value.sources
  if (found === undefined || found === 'anything') return []
  return [...found]
    .filter((one) => one.schema === base.schema && one.name === base.name)
    .map((one) => one.column)
}

/** Rows of other relations that go or change with those of this one. */
function cascades(
  action: 'update' | 'delete',
  use: RelationUse,
  columns: readonly string[] | undefined,
  reading: ReadingBuilder,
): void {
  const { relation } = use
  if (relation === undefined || (action === 'update' && columns?.length === 0)) return
  for (const { id, does, columns: changed } of relationsReferring(relation, action, reading.names.index)) {
    reading.doesOn(does, tableOf(id), does === 'update' ? changed : undefined, {
      schema: use.schema,
      table: use.name,
      by: 'foreign-key',
    })
  }
}

function tableOf({ schema, name }: RelationId) {
  return { type: 'Table', schema, table: name } as const
}

/** MERGE, as far as it is more than what its actions do. PostgreSQL has no privilege for it. */
export function merges(use: RelationUse, reading: ReadingBuilder): void {
  doesWith('merge', use, undefined, reading)
  // Every row of it is held against the source, whatever the conditions mention.
  doesWith('select', use, [], reading)
}
