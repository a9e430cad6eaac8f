import type { ReadingBuilder, SqlResource } from './reading.ts'
import { inSchemaOfName, onRelation, relationName } from './relation-name.ts'
import type { Fields } from './tree.ts'
import { list, nodeOf, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const

/** GRANT and REVOKE of privileges on objects. Membership in roles is another statement, and refused. */
export function readGrant(fields: Fields, reading: ReadingBuilder): void {
  const action = fields['is_grant'] === true ? 'grant' : 'revoke'
  const isAllIn = text(fields['targtype']) === 'ACL_TARGET_ALL_IN_SCHEMA'
  const objects = list(fields['objects'])
  if (objects.length === 0) reading.opaque('it grants privileges on nothing that the gateway can see')
  for (const object of objects) {
    const type = text(fields['objtype']) ?? ''
    const resource = isAllIn ? schemaNamed(object) : resourceOf(type, object)
    const named = nameInSchema(type, object)
    if (resource) reading.does(action, resource)
    else if (named !== undefined) inSchemaOfName(named, action, reading)
    else reading.opaque('it grants privileges on a kind of object that policy cannot name')
  }
}

function resourceOf(type: string, object: unknown): SqlResource | undefined {
  switch (type) {
    case 'OBJECT_TABLE':
    case 'OBJECT_SEQUENCE': {
      const relation = relationName(nodeOf(object, 'RangeVar'))
      return relation && onRelation(relation)
    }
    case 'OBJECT_SCHEMA':
      return schemaNamed(object)
    case 'OBJECT_DATABASE':
      return DATABASE
    default:
      return undefined
  }
}

/** The dotted name of an object that lies in a schema and is no relation. */
function nameInSchema(type: string, object: unknown): unknown {
  if (type === 'OBJECT_TYPE' || type === 'OBJECT_DOMAIN') return nodeOf(object, 'List')?.['items']
  const isRoutine = type === 'OBJECT_FUNCTION' || type === 'OBJECT_PROCEDURE' || type === 'OBJECT_ROUTINE'
  return isRoutine ? nodeOf(object, 'ObjectWithArgs')?.['objname'] : undefined
}

function schemaNamed(object: unknown): SqlResource | undefined {
  const schema = text(nodeOf(object, 'String')?.['sval'])
  return schema === undefined ? undefined : { type: 'Schema', schema }
}
