import type { RelationName, SqlResource } from './reading.ts'
import { fieldsOf, nameParts, text } from './tree.ts'

/** Where PostgreSQL makes an object that is named without a schema, under the search path that sessions are held to. */
export const DEFAULT_SCHEMA = 'public'

/** The relation that a RangeVar names. A database before the schema can only be the session's own. */
export function relationName(rangeVar: unknown): RelationName | undefined {
  const fields = fieldsOf(rangeVar)
  const name = text(fields?.['relname'])
  if (name === undefined) return undefined
  const schema = text(fields?.['schemaname'])
  return schema === undefined ? { name } : { schema, name }
}

/** The relation that a dotted list of names means: `schema.name`, or just the name. */
export function relationFromParts(parts: readonly string[]): RelationName | undefined {
  const name = parts.at(-1)
  if (name === undefined) return undefined
  const schema = parts.at(-2)
  return schema === undefined ? { name } : { schema, name }
}

export function onRelation(relation: RelationName): SqlResource {
  return { type: 'Relation', ...relation }
}

/** The schema in which a statement makes a relation: temporary ones belong to the session's own. */
export function schemaForNew(rangeVar: unknown): SqlResource {
  const fields = fieldsOf(rangeVar)
  const schema = text(fields?.['relpersistence']) === 't' ? 'pg_temp' : text(fields?.['schemaname'])
  return { type: 'Schema', schema: schema ?? DEFAULT_SCHEMA }
}

/** The schema of an object that is no relation, from its dotted name. */
export function schemaOfName(name: unknown): SqlResource {
  return { type: 'Schema', schema: nameParts(name).at(-2) ?? DEFAULT_SCHEMA }
}
