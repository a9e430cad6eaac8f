import type { Verb } from '../access/capability.ts'
import { type Catalog, isSystemSchema, type Relation, type RelationId } from '../access/catalog.ts'
import type { Operation, RelationPath } from '../access/model.ts'

/** What any statement with this verb on some relation leads to. */
export interface Below {
  readonly verb: Verb
  readonly operation: Operation
}

const WRITES_THROUGH: readonly Verb[] = ['insert', 'update', 'delete']

/** What statements on relations reach by way of them: below views, in partitions and their parents, by cascades. */
export class Reach {
  readonly #relations: ReadonlyMap<string, Relation>
  readonly #children: ReadonlyMap<string, readonly Relation[]>
  readonly #referencing: ReadonlyMap<string, readonly Relation[]>

  constructor(catalog: Catalog) {
    this.#relations = new Map(catalog.relations.map((relation) => [keyOf(relation), relation]))
    const children = new Map<string, Relation[]>()
    const referencing = new Map<string, Relation[]>()
    for (const relation of catalog.relations) {
      for (const parent of relation.parents) add(children, keyOf(parent), relation)
      for (const { references } of relation.foreignKeys) add(referencing, keyOf(references), relation)
    }
    this.#children = children
    this.#referencing = referencing
  }

  /** Empty for a table that leads nowhere. A statement may reach less, when it names only some columns. */
  below(relation: Relation): readonly Below[] {
    const found = new Map<string, Below>()
    this.#views(relation, { schema: relation.schema, table: relation.name, by: 'view' }, found)
    this.#family(relation, found)
    this.#cascades(relation, found)
    return [...found.values()]
  }

  #views(view: Relation, through: RelationPath, found: Map<string, Below>): void {
    for (const { schema, name, columns } of view.uses) {
      const resource = { type: 'Table', schema, table: name } as const
      const known = note(found, 'select', { action: 'select', resource, columns, through })
      // Which of them a simple view can be written through is for PostgreSQL to say; that much is asked about.
      for (const verb of WRITES_THROUGH) note(found, verb, { action: verb, resource, through })
      const inner = this.#relations.get(keyOf({ schema, name }))
      if (!known && inner !== undefined) this.#views(inner, through, found)
    }
  }

  #family(relation: Relation, found: Map<string, Below>): void {
    const up = [...relation.parents]
    for (let parent = up.pop(); parent !== undefined; parent = up.pop()) {
      if (this.#member(relation, parent, 'partition', found)) continue
      up.push(...(this.#relations.get(keyOf(parent))?.parents ?? []))
    }
    const down = [...(this.#children.get(keyOf(relation)) ?? [])]
    for (let child = down.pop(); child !== undefined; child = down.pop()) {
      if (this.#member(relation, child, 'parent', found)) continue
      down.push(...(this.#children.get(keyOf(child)) ?? []))
    }
  }

  #member(
    of: Relation,
    { schema, name }: RelationId,
    by: RelationPath['by'],
    found: Map<string, Below>,
  ): boolean {
    const resource = { type: 'Table', schema, table: name } as const
    const through = { schema: of.schema, table: of.name, by }
    let known = false
    for (const verb of ['select', ...WRITES_THROUGH, 'truncate'] as const) {
      known = note(found, verb, { action: verb, resource, through })
    }
    return known
  }

  #cascades(relation: Relation, found: Map<string, Below>): void {
    const seen = new Set<string>()
    const deleted = [relation]
    for (let one = deleted.pop(); one !== undefined; one = deleted.pop()) {
      if (seen.has(keyOf(one))) continue
      seen.add(keyOf(one))
      for (const other of this.#referencing.get(keyOf(one)) ?? []) {
        const resource = { type: 'Table', schema: other.schema, table: other.name } as const
        const through = { schema: relation.schema, table: relation.name, by: 'foreign-key' } as const
        for (const key of other.foreignKeys) {
          if (keyOf(key.references) !== keyOf(one) || key.onDelete === 'refuses') continue
          if (key.onDelete === 'cascades') deleted.push(other)
          const operation: Operation =
            key.onDelete === 'cascades'
              ? { action: 'delete', resource, through }
              : { action: 'update', resource, columns: key.columns, through }
          note(found, 'delete', operation)
        }
      }
    }
  }
}

/** @returns whether it was known; PostgreSQL's own relations lead nowhere that policy is asked about */
function note(found: Map<string, Below>, verb: Verb, operation: Operation): boolean {
  const { resource } = operation
  if (resource.type === 'Table' && isSystemSchema(resource.schema)) return true
  const key = JSON.stringify([verb, operation])
  if (found.has(key)) return true
  found.set(key, { verb, operation })
  return false
}

function keyOf({ schema, name }: RelationId): string {
  return JSON.stringify([schema, name])
}

function add(map: Map<string, Relation[]>, key: string, relation: Relation): void {
  const known = map.get(key)
  if (known === undefined) map.set(key, [relation])
  else known.push(relation)
}
