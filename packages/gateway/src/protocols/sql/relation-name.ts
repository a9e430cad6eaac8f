import type { RelationId } from '../../access/catalog.ts'
import type { Action } from '../../access/model.ts'
import type { ReadingBuilder, RelationName, SqlResource } from './reading.ts'
import { fieldsOf, nameParts, text } from './tree.ts'

/** The session's own temporary schema, under the name that everybody has for it. */
const TEMPORARY = 'pg_temp'

/** The relation that a RangeVar names. A database before the schema can only be the session's own. */
export function relationName(rangeVar: unknown): RelationName | undefined {
  const fields = fieldsOf(rangeVar)
  const name = text(fields?.['relname'])
  if (name === undefined) return undefined
  const schema = text(fields?.['schemaname'])
  return schema === undefined ? { name } : { schema: ownTemporary(schema), name }
}

/** The relation that a dotted list of names means: `schema.name`, or just the name. */
export function relationFromParts(parts: readonly string[]): RelationName | undefined {
  const name = parts.at(-1)
  if (name === undefined) return undefined
  const schema = parts.at(-2)
  return schema === undefined ? { name } : { schema: ownTemporary(schema), name }
}

/** `pg_temp_3` is the name under which a session's temporary schema is kept: nobody reaches another session's. */
function ownTemporary(schema: string): string {
  return /^pg_temp(_\d+)?$/.test(schema) ? TEMPORARY : schema
}

export function onRelation(relation: RelationName): SqlResource {
  return { type: 'Relation', ...relation }
}

/**
 * A relation that a statement makes, in each schema where that may be. A temporary one belongs to the session, and its name
 * hides others from then on.
 * @returns where it is made
 */
export function makesRelation(
  rangeVar: unknown,
  reading: ReadingBuilder,
  isTemporary = false,
): readonly RelationId[] {
  const made = newRelations(rangeVar, reading, isTemporary)
  if (made.length === 0) reading.opaque('what it makes has no name')
  for (const { schema, name } of made) {
    if (schema === TEMPORARY) reading.makesTemporary(name)
    reading.doesOn('create', { type: 'Table', schema, table: name })
  }
  return made
}

/** Where a relation would be made that is named like this. */
export function newRelations(
  rangeVar: unknown,
  reading: ReadingBuilder,
  isTemporary = false,
): readonly RelationId[] {
  const relation = relationName(rangeVar)
  if (relation === undefined) return []
  const { schema, name } = relation
  if (isTemporary || text(fieldsOf(rangeVar)?.['relpersistence']) === 't')
    return [{ schema: TEMPORARY, name }]
  const schemas = schema === undefined ? reading.names.schemasForNew() : [schema]
  return schemas.map((one) => ({ schema: one, name }))
}

/** An action on the schema of an object that is no relation, or on each in which a bare name may be found or made. */
export function inSchemaOf(parts: readonly string[], action: Action, reading: ReadingBuilder): void {
  const schema = parts.at(-2)
  const schemas =
    schema === undefined
      ? new Set([...reading.names.searched(), ...reading.names.schemasForNew()])
      : [ownTemporary(schema)]
  for (const one of schemas) reading.doesOn(action, { type: 'Schema', schema: one })
}

/** As `inSchemaOf`, of a name as the tree has it. */
export function inSchemaOfName(name: unknown, action: Action, reading: ReadingBuilder): void {
  inSchemaOf(nameParts(name), action, reading)
}
