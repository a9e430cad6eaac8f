import type { Action } from '../../access/model.ts'
import type { ReadingBuilder, RelationName } from './reading.ts'
import { inSchemaOf, onRelation, relationFromParts, relationName } from './relation-name.ts'
import type { Fields } from './tree.ts'
import { list, nameParts, nodeOf, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const

/** What the name of an object of each type leads to. What is not here lies outside of any schema, or is code. */
const OBJECTS: ReadonlyMap<string, 'relation' | 'of a relation' | 'in a schema' | 'schema'> = new Map([
  ['OBJECT_TABLE', 'relation'],
  ['OBJECT_VIEW', 'relation'],
  ['OBJECT_MATVIEW', 'relation'],
  ['OBJECT_SEQUENCE', 'relation'],
  ['OBJECT_INDEX', 'relation'],
  ['OBJECT_FOREIGN_TABLE', 'relation'],
  ['OBJECT_COLUMN', 'of a relation'],
  ['OBJECT_TABCONSTRAINT', 'of a relation'],
  ['OBJECT_TRIGGER', 'of a relation'],
  ['OBJECT_RULE', 'of a relation'],
  ['OBJECT_POLICY', 'of a relation'],
  ['OBJECT_TYPE', 'in a schema'],
  ['OBJECT_ATTRIBUTE', 'in a schema'],
  ['OBJECT_DOMAIN', 'in a schema'],
  ['OBJECT_DOMCONSTRAINT', 'in a schema'],
  ['OBJECT_COLLATION', 'in a schema'],
  ['OBJECT_STATISTIC_EXT', 'in a schema'],
  ['OBJECT_FUNCTION', 'in a schema'],
  ['OBJECT_PROCEDURE', 'in a schema'],
  ['OBJECT_ROUTINE', 'in a schema'],
  ['OBJECT_AGGREGATE', 'in a schema'],
  ['OBJECT_OPERATOR', 'in a schema'],
  ['OBJECT_SCHEMA', 'schema'],
])

/** The dotted name of an object, however its type writes it: a list, a type's name, a function with its arguments. */
function partsOf(object: unknown): readonly string[] {
  const plain = text(nodeOf(object, 'String')?.['sval'])
  if (plain !== undefined) return [plain]
  const items = nodeOf(object, 'List')?.['items']
  const nested = nodeOf(list(items)[0], 'TypeName')?.['names']
  return nameParts(
    nested ?? items ?? nodeOf(object, 'ObjectWithArgs')?.['objname'] ?? nodeOf(object, 'TypeName')?.['names'],
  )
}

/**
 * Asks policy about an object of any kind.
 * @returns the relation that it is, or belongs to
 */
function onObject(
  action: Action,
  type: string,
  object: unknown,
  reading: ReadingBuilder,
): RelationName | undefined {
  const parts = partsOf(object)
  const where = OBJECTS.get(type)
  if (parts.length === 0 || where === undefined) {
    reading.opaque(`the gateway does not let anybody change this kind of object (${kindOf(type)})`)
    return undefined
  }
  if (where === 'schema') reading.doesOn(action, { type: 'Schema', schema: parts.at(-1) ?? '' })
  else if (where === 'in a schema') inSchemaOf(parts, action, reading)
  else {
    const relation = relationFromParts(where === 'of a relation' ? parts.slice(0, -1) : parts)
    if (relation) reading.does(action, onRelation(relation))
    else reading.opaque('a relation has no name')
    return relation
  }
  return undefined
}

function kindOf(type: string): string {
  return type.replace('OBJECT_', '').replaceAll('_', ' ').toLowerCase()
}

/** DROP of anything. With CASCADE it takes along what depends on it, which lies in the same schema at best. */
export function readDrop(fields: Fields, reading: ReadingBuilder): void {
  const type = text(fields['removeType']) ?? ''
  for (const object of list(fields['objects'])) {
    const relation = onObject('drop', type, object, reading)
    if (relation === undefined) continue
    if (type === 'OBJECT_POLICY') reading.does('grant', onRelation(relation))
    if (text(fields['behavior']) !== 'DROP_CASCADE') continue
    for (const { schema } of reading.names.relations(relation))
      reading.doesOn('drop', { type: 'Schema', schema })
  }
}

/** COMMENT ON. */
export function readComment(fields: Fields, reading: ReadingBuilder): void {
  onObject('alter', text(fields['objtype']) ?? '', fields['object'], reading)
}

/** ALTER … RENAME. A relation under a new name is a new one to policy, so that it counts as made too. */
export function readRename(fields: Fields, reading: ReadingBuilder): void {
  const type = text(fields['renameType']) ?? ''
  const newName = text(fields['newname'])
  const relation = relationName(fields['relation'])
  if (relation === undefined) {
    const isSchema = type === 'OBJECT_SCHEMA'
    onObject('alter', type, isSchema ? { String: { sval: fields['subname'] } } : fields['object'], reading)
    if (isSchema) {
      reading.does('create', DATABASE)
      refuseReservedSchema(newName, reading)
    }
    return
  }
  reading.does('alter', onRelation(relation))
  if (OBJECTS.get(type) === 'relation' && newName !== undefined) makesUnderNewName(relation, newName, reading)
}

function makesUnderNewName(relation: RelationName, newName: string, reading: ReadingBuilder): void {
  for (const { schema } of reading.names.relations(relation)) {
    if (schema === 'pg_temp') reading.makesTemporary(newName)
    reading.doesOn('create', { type: 'Table', schema, table: newName })
  }
}

/** ALTER … SET SCHEMA. */
export function readMove(fields: Fields, reading: ReadingBuilder): void {
  const schema = text(fields['newschema']) ?? ''
  const relation = relationName(fields['relation'])
  if (relation) {
    reading.does('alter', onRelation(relation))
    reading.doesOn('create', { type: 'Table', schema, table: relation.name })
  } else {
    onObject('alter', text(fields['objectType']) ?? '', fields['object'], reading)
    reading.doesOn('create', { type: 'Schema', schema })
  }
}

/** Roles of sessions have names like these: `"$user"` in a search path would come to mean a schema called so. */
const SESSION_ROLE = /^sp_[0-9a-f]{8}_/

/** Names that no schema may be given. */
export function refuseReservedSchema(name: string | undefined, reading: ReadingBuilder): void {
  if (name === undefined) return
  if (name.startsWith('pg_')) reading.opaque('schemas that begin with pg_ are reserved')
  if (SESSION_ROLE.test(name))
    reading.opaque('a schema may not bear the name of a role that the gateway makes')
}
