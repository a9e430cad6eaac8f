import type { Action } from '../../access/model.ts'
import type { ReadingBuilder, SqlResource } from './reading.ts'
import { DEFAULT_SCHEMA, onRelation, relationFromParts, relationName } from './relation-name.ts'
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

/** What policy is asked about for an object, or undefined when it can be asked about nothing. */
function resourceOf(type: string, object: unknown): SqlResource | undefined {
  const parts = partsOf(object)
  const where = OBJECTS.get(type)
  if (parts.length === 0 || where === undefined) return undefined
  if (where === 'schema') return { type: 'Schema', schema: parts.at(-1) ?? '' }
  if (where === 'in a schema') return { type: 'Schema', schema: parts.at(-2) ?? DEFAULT_SCHEMA }
  const relation = relationFromParts(where === 'of a relation' ? parts.slice(0, -1) : parts)
  return relation && onRelation(relation)
}

function onObject(
  action: Action,
  type: string,
  object: unknown,
  reading: ReadingBuilder,
): SqlResource | undefined {
  const resource = resourceOf(type, object)
  if (resource) reading.does(action, resource)
  else reading.opaque(`the gateway does not let anybody change this kind of object (${kindOf(type)})`)
  return resource
}

function kindOf(type: string): string {
  return type.replace('OBJECT_', '').replaceAll('_', ' ').toLowerCase()
}

/** DROP of anything. With CASCADE it takes along what depends on it, which lies in the same schema at best. */
export function readDrop(fields: Fields, reading: ReadingBuilder): void {
  const type = text(fields['removeType']) ?? ''
  for (const object of list(fields['objects'])) {
    const resource = onObject('drop', type, object, reading)
    if (type === 'OBJECT_POLICY' && resource) reading.does('grant', resource)
    if (text(fields['behavior']) !== 'DROP_CASCADE' || resource === undefined) continue
    if (resource.type === 'Relation')
      reading.does('drop', { type: 'Schema', schema: resource.schema ?? DEFAULT_SCHEMA })
  }
}

/** COMMENT ON. */
export function readComment(fields: Fields, reading: ReadingBuilder): void {
  onObject('alter', text(fields['objtype']) ?? '', fields['object'], reading)
}

/** ALTER … RENAME. A relation under a new name is a new one to policy, so that it counts as made too. */
export function readRename(fields: Fields, reading: ReadingBuilder): void {
  const type = text(fields['renameType']) ?? ''
  const relation = relationName(fields['relation'])
  if (relation === undefined) {
    onObject(
      'alter',
      type,
      type === 'OBJECT_SCHEMA' ? schemaNode(fields['subname']) : fields['object'],
      reading,
    )
    if (type === 'OBJECT_SCHEMA') reading.does('create', DATABASE)
    return
  }
  reading.does('alter', onRelation(relation))
  if (OBJECTS.get(type) === 'relation' && type !== 'OBJECT_INDEX') {
    reading.does('create', { type: 'Schema', schema: relation.schema ?? DEFAULT_SCHEMA })
  }
}

function schemaNode(name: unknown): unknown {
  return { String: { sval: name } }
}

/** ALTER … SET SCHEMA. */
export function readMove(fields: Fields, reading: ReadingBuilder): void {
  const relation = relationName(fields['relation'])
  if (relation) reading.does('alter', onRelation(relation))
  else onObject('alter', text(fields['objectType']) ?? '', fields['object'], reading)
  reading.does('create', { type: 'Schema', schema: text(fields['newschema']) ?? DEFAULT_SCHEMA })
}
