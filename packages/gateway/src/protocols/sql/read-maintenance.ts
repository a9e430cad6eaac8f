import { HIDDEN_FLOW } from '../../access/data-flow.ts'
import type { RelationId } from '../../access/catalog.ts'
import type { Verb } from '../../access/capability.ts'
import type { Action, RelationPath } from '../../access/model.ts'
import type { ReadingBuilder, RelationName } from './reading.ts'
import { onRelation, relationName } from './relation-name.ts'
import type { Fields } from './tree.ts'
import { list, nodeOf, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const

/** Since PostgreSQL 17 the privilege MAINTAIN is enough for what only owners could do before. */
const HAS_MAINTAIN = 170_000

/** VACUUM and ANALYZE, of some relations or the whole database. */
export function readVacuum(fields: Fields, reading: ReadingBuilder): void {
  const relations = list(fields['rels']).map((item) => nodeOf(item, 'VacuumRelation')?.['relation'])
  if (relations.length === 0) reading.does('maintain', DATABASE)
  for (const relation of relations) maintains(relation, reading)
  reading.flows(HIDDEN_FLOW)
}

/** CLUSTER, of one relation or of all that were clustered before. */
export function readCluster(fields: Fields, reading: ReadingBuilder): void {
  maintains(fields['relation'], reading)
  reading.flows(HIDDEN_FLOW)
}

export function readReindex(fields: Fields, reading: ReadingBuilder): void {
  const schema = text(fields['name'])
  if (text(fields['kind']) === 'REINDEX_OBJECT_SCHEMA' && schema !== undefined) {
    reading.does('maintain', { type: 'Schema', schema })
  } else maintains(fields['relation'], reading)
  reading.flows(HIDDEN_FLOW)
}

/** REFRESH MATERIALIZED VIEW runs the view's query, with the rights of its owner. */
export function readRefresh(fields: Fields, reading: ReadingBuilder): void {
  maintains(fields['relation'], reading)
  const view = relationName(fields['relation'])
  for (const id of view ? reading.names.relations(view) : []) readsBelow(id, reading, new Set())
  reading.flows(HIDDEN_FLOW)
}

/** What a view reads, and the views below it read. Each once: a view that is made of itself is made of nothing. */
function readsBelow(view: RelationId, reading: ReadingBuilder, seen: Set<string>): void {
  const id = JSON.stringify([view.schema, view.name])
  if (seen.has(id)) return
  seen.add(id)
  const known = reading.names.index.relation(view.schema, view.name)
  const through: RelationPath = { schema: view.schema, table: view.name, by: 'view' }
  for (const use of known?.uses ?? []) {
    reading.doesOn('select', { type: 'Table', schema: use.schema, table: use.name }, use.columns, through)
    readsBelow(use, reading, seen)
  }
}

function maintains(rangeVar: unknown, reading: ReadingBuilder): void {
  const relation = relationName(rangeVar)
  if (relation === undefined) return reading.does('maintain', DATABASE)
  reading.does('maintain', onRelation(relation))
  if (reading.names.index.catalog.serverVersion >= HAS_MAINTAIN) needs('maintain', relation, reading)
}

function needs(verb: Verb, relation: RelationName, reading: ReadingBuilder): void {
  for (const { schema, name } of reading.names.relations(relation))
    reading.needs({ verb, schema, table: name })
}

/** ACCESS SHARE is what every SELECT takes, and needs no more than SELECT (LOCK, "Notes"). */
const ACCESS_SHARE_LOCK = 1

/** LOCK TABLE. A view's lock is also one on what it reads. */
export function readLock(fields: Fields, reading: ReadingBuilder): void {
  const isShared = fields['mode'] === ACCESS_SHARE_LOCK
  for (const item of list(fields['relations'])) {
    const relation = relationName(nodeOf(item, 'RangeVar'))
    if (relation === undefined) return reading.opaque('a relation has no name')
    const action: Action = isShared ? 'select' : 'lock'
    for (const { schema, name } of reading.names.relations(relation)) {
      const table = { type: 'Table', schema, table: name } as const
      // No column is read: the privilege on any is enough.
      if (isShared) reading.doesOn(action, table, [])
      else reading.doesOn(action, table)
      belowView({ schema, name }, action, reading)
    }
    needs(isShared ? 'select' : lockVerb(reading), relation, reading)
  }
}

function lockVerb(reading: ReadingBuilder): Verb {
  return reading.names.index.catalog.serverVersion >= HAS_MAINTAIN ? 'maintain' : 'update'
}

function belowView(view: RelationId, action: Action, reading: ReadingBuilder): void {
  const through: RelationPath = { schema: view.schema, table: view.name, by: 'view' }
  for (const { schema, name } of reading.names.index.relation(view.schema, view.name)?.uses ?? []) {
    const columns = action === 'select' ? [] : undefined
    reading.doesOn(action, { type: 'Table', schema, table: name }, columns, through)
  }
}

/**
 * TRUNCATE: of the relations, of those that inherit from them unless it says ONLY, and with CASCADE of all that refer to
 * them by a foreign key.
 */
export function readTruncate(fields: Fields, reading: ReadingBuilder): void {
  const cascades = text(fields['behavior']) === 'DROP_CASCADE'
  for (const item of list(fields['relations'])) {
    const rangeVar = nodeOf(item, 'RangeVar')
    const relation = relationName(rangeVar)
    if (relation === undefined) return reading.opaque('a relation has no name')
    reading.does('truncate', onRelation(relation))
    needs('truncate', relation, reading)
    for (const id of reading.names.relations(relation)) {
      const reached = new Set([JSON.stringify([id.schema, id.name])])
      truncatesBeyond(id, rangeVar?.['inh'] === true, cascades, reached, reading)
    }
  }
  reading.flows(HIDDEN_FLOW)
}

function truncatesBeyond(
  id: RelationId,
  withChildren: boolean,
  cascades: boolean,
  reached: Set<string>,
  reading: ReadingBuilder,
): void {
  const { index } = reading.names
  const empties = (other: RelationId, by: RelationPath['by']): void => {
    const key = JSON.stringify([other.schema, other.name])
    if (reached.has(key)) return
    reached.add(key)
    const through = { schema: id.schema, table: id.name, by }
    reading.doesOn('truncate', { type: 'Table', schema: other.schema, table: other.name }, undefined, through)
    truncatesBeyond(other, true, cascades, reached, reading)
  }
  for (const parent of index.relation(id.schema, id.name)?.parents ?? []) {
    if (reached.has(JSON.stringify([parent.schema, parent.name]))) continue
    const through = { schema: id.schema, table: id.name, by: 'partition' } as const
    reading.doesOn(
      'truncate',
      { type: 'Table', schema: parent.schema, table: parent.name },
      undefined,
      through,
    )
  }
  if (withChildren) for (const child of index.childrenOf(id)) empties(child, 'parent')
  if (cascades) for (const referrer of index.referrersOf(id)) empties(referrer, 'foreign-key')
}
