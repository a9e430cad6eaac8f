import type { Relation, RelationId } from '../../access/catalog.ts'
import type { CatalogIndex } from './names.ts'

/** What a relation inherits from or is a partition of, all the way up. */
export function relationsAbove(relation: Relation, index: CatalogIndex): readonly Relation[] {
  return closure(relation, ({ parents }) =>
    parents.flatMap(({ schema, name }) => index.relation(schema, name) ?? []),
  )
}

/** What inherits from a relation or is a partition of it, all the way down. */
export function relationsBelow(relation: Relation, index: CatalogIndex): readonly Relation[] {
  return closure(relation, (one) => index.childrenOf(one))
}

function closure(start: Relation, next: (from: Relation) => readonly Relation[]): readonly Relation[] {
  const direct = next(start)
  if (direct.length === 0) return direct
  const found = new Set<Relation>()
  const waiting = [...direct]
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (found.has(one) || one === start) continue
    found.add(one)
    waiting.push(...next(one))
  }
  return [...found]
}

export interface Cascade {
  readonly id: RelationId
  readonly does: 'update' | 'delete'
  /** Of an update: the columns that change. */
  readonly columns: readonly string[]
}

/**
 * What ON DELETE and ON UPDATE of foreign keys do when rows of a relation are deleted or updated (CREATE TABLE,
 * "REFERENCES"), and what that does in its turn. Which of its columns are referred to is not known: any may be.
 */
export function relationsReferring(
  relation: Relation,
  action: 'update' | 'delete',
  index: CatalogIndex,
): readonly Cascade[] {
  const found = new Map<string, Cascade>()
  const waiting: { readonly on: Relation; readonly action: 'update' | 'delete' }[] = [
    { on: relation, action },
  ]
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    // A key may refer to a partitioned table as a whole, and a row go with it that lies in a partition.
    const referred = [one.on, ...relationsAbove(one.on, index), ...relationsBelow(one.on, index)]
    for (const { from, key } of referred.flatMap((each) => index.keysTo(each))) {
      const rule = one.action === 'delete' ? key.onDelete : key.onUpdate
      if (rule === 'refuses') continue
      const does = one.action === 'delete' && rule === 'cascades' ? 'delete' : 'update'
      const id = `${does}\0${from.schema}\0${from.name}\0${key.name}`
      if (found.has(id)) continue
      found.set(id, { id: { schema: from.schema, name: from.name }, does, columns: key.columns })
      waiting.push({ on: from, action: does })
    }
  }
  return [...found.values()]
}
