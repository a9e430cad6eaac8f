import type { ReadingBuilder, SqlResource } from './reading.ts'
import { onRelation, relationName, schemaOfName } from './relation-name.ts'
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
    const resource = isAllIn ? schemaNamed(object) : resourceOf(text(fields['objtype']) ?? '', object)
    if (resource) reading.does(action, resource)
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
    case 'OBJECT_FUNCTION':
    case 'OBJECT_PROCEDURE':
    case 'OBJECT_ROUTINE':
      return schemaOfName(nodeOf(object, 'ObjectWithArgs')?.['objname'])
    case 'OBJECT_TYPE':
    case 'OBJECT_DOMAIN':
      return schemaOfName(nodeOf(object, 'List')?.['items'])
    default:
      return undefined
  }
}

function schemaNamed(object: unknown): SqlResource | undefined {
  const schema = text(nodeOf(object, 'String')?.['sval'])
  return schema === undefined ? undefined : { type: 'Schema', schema }
}
