import type { Catalog, Relation } from '../../access/catalog.ts'
import { UNKNOWN_FLOW } from '../../access/data-flow.ts'
import type { Operation, Resource, StatementReading } from '../../access/model.ts'
import type { NotNullQuestion, RelationName, SqlReading, SqlResource } from '../sql/reading.ts'
import type { BareNames, NameChanges } from '../sql/search-path.ts'

/**
 * A reading with its names resolved as the target would resolve them. Where a bare name can mean several relations, the
 * statement is taken to be on each. One that is nowhere is taken to be where it would be made: policy is then asked about
 * a relation that does not exist, and the target says so.
 */
export function resolveReading(sql: SqlReading, catalog: Catalog, known: BareNames): StatementReading {
  const names = sql.facts.multi ? withinSeveral(known, sql.changes) : known
  const operations = new Map<string, Operation>()
  for (const { action, resource } of sql.operations) {
    for (const resolved of resolveResource(resource, catalog, names)) {
      operations.set(JSON.stringify([action, resolved]), { action, resource: resolved })
    }
  }
  const isTrivial =
    sql.facts.whereIsTrivial || sql.trivialIfNotNull.some((question) => isNeverNull(question, catalog, names))
  return {
    operations: operations.size > 0 ? [...operations.values()] : [CONNECT],
    facts: { ...sql.facts, whereIsTrivial: isTrivial },
    ...(sql.opaqueBecause === undefined ? {} : { opaqueBecause: sql.opaqueBecause }),
    dependsOn: sql.dependsOn,
    needs: [],
    flow: UNKNOWN_FLOW,
  }
}

/** What a statement does that touches nothing: no more than being connected. */
const CONNECT: Operation = { action: 'connect', resource: { type: 'Target' } }

/** Of several statements, each can be read under the paths that those before it set, or brought back. */
function withinSeveral(names: BareNames, changes: NameChanges | undefined): BareNames {
  if (changes === undefined) return names
  const set = changes.paths.filter((path) => path !== 'session-start')
  return { ...names, paths: [...names.paths, ...names.fallbacks, ...set] }
}

function resolveResource(resource: SqlResource, catalog: Catalog, names: BareNames): readonly Resource[] {
  if (resource.type !== 'Relation') return [resource]
  return schemasOf(resource, catalog, names).map((schema) => ({
    type: 'Table',
    schema,
    table: resource.name,
  }))
}

function schemasOf({ schema, name }: RelationName, catalog: Catalog, names: BareNames): readonly string[] {
  if (schema !== undefined) return [schema]
  const found = new Set<string>(names.temporary.includes(name) ? ['pg_temp'] : [])
  const has = (where: string) => find(catalog, where, name) !== undefined
  for (const path of names.paths) {
    for (const where of path.includes('pg_catalog') ? path : ['pg_catalog', ...path]) {
      // The catalog of a target need not list PostgreSQL's own relations, and all of those in pg_catalog are called pg_….
      const mayBe = where === 'pg_catalog' && name.startsWith('pg_')
      if (mayBe || has(where)) found.add(where)
      if (has(where)) break
    }
  }
  return found.size > 0 ? [...found] : [names.paths[0]?.[0] ?? 'pg_catalog']
}

function isNeverNull({ relation, columns }: NotNullQuestion, catalog: Catalog, names: BareNames): boolean {
  return schemasOf(relation, catalog, names).some((schema) => {
    const known = find(catalog, schema, relation.name)
    return columns.every((name) => known?.columns.some((column) => column.name === name && !column.nullable))
  })
}

function find(catalog: Catalog, schema: string, name: string): Relation | undefined {
  return catalog.relations.find((relation) => relation.schema === schema && relation.name === name)
}
