import type { Catalog, Relation } from '../../access/catalog.ts'
import { UNKNOWN_FLOW } from '../../access/data-flow.ts'
import type { Operation, Resource, StatementReading } from '../../access/model.ts'
import type { NotNullQuestion, RelationName, SqlReading, SqlResource } from '../sql/reading.ts'

/**
 * A reading with its names resolved as the target would resolve them, under the search path that sessions are held to:
 * pg_catalog, which PostgreSQL always searches first, then public. A bare name that is in neither is taken to be
 * public's: policy is then asked about a relation that does not exist, and the target says so.
 */
export function resolveReading(sql: SqlReading, catalog: Catalog): StatementReading {
  const operations = new Map<string, Operation>()
  for (const { action, resource } of sql.operations) {
    for (const resolved of resolveResource(resource, catalog)) {
      operations.set(JSON.stringify([action, resolved]), { action, resource: resolved })
    }
  }
  const isTrivial =
    sql.facts.whereIsTrivial || sql.trivialIfNotNull.some((question) => isNeverNull(question, catalog))
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

function resolveResource(resource: SqlResource, catalog: Catalog): readonly Resource[] {
  if (resource.type !== 'Relation') return [resource]
  return schemasOf(resource, catalog).map((schema) => ({ type: 'Table', schema, table: resource.name }))
}

function schemasOf({ schema, name }: RelationName, catalog: Catalog): readonly string[] {
  if (schema !== undefined) return [schema]
  const has = (where: string) => find(catalog, where, name) !== undefined
  if (has('pg_catalog')) return ['pg_catalog']
  if (!name.startsWith('pg_')) return ['public']
  // The catalog of a target need not list PostgreSQL's own relations, and all of those in pg_catalog are called pg_….
  return has('public') ? ['pg_catalog', 'public'] : ['pg_catalog']
}

function isNeverNull({ relation, columns }: NotNullQuestion, catalog: Catalog): boolean {
  return schemasOf(relation, catalog).some((schema) => {
    const known = find(catalog, schema, relation.name)
    return columns.every((name) => known?.columns.some((column) => column.name === name && !column.nullable))
  })
}

function find(catalog: Catalog, schema: string, name: string): Relation | undefined {
  return catalog.relations.find((relation) => relation.schema === schema && relation.name === name)
}
