import { readChildren } from './read-query.ts'
import type { ReadingBuilder } from './reading.ts'
import { onRelation, relationName } from './relation-name.ts'
import type { Fields } from './tree.ts'
import { list, nodeOf, tagged, text } from './tree.ts'

/** Subcommands that change who sees which rows. */
const ROW_SECURITY: ReadonlySet<string> = new Set([
  'AT_EnableRowSecurity',
  'AT_DisableRowSecurity',
  'AT_ForceRowSecurity',
  'AT_NoForceRowSecurity',
])

const REFUSED: ReadonlyMap<string, string> = new Map([
  ['AT_ChangeOwner', 'it gives the relation to another role'],
  ['AT_GenericOptions', 'it changes what a foreign table connects to'],
  ['AT_AlterColumnGenericOptions', 'it changes what a foreign table connects to'],
])

/** ALTER TABLE, and of views, sequences, indexes and composite types alike. */
export function readAlterTable(fields: Fields, reading: ReadingBuilder): void {
  const relation = relationName(fields['relation'])
  if (relation === undefined) return reading.opaque('a relation has no name')
  reading.does('alter', onRelation(relation))
  for (const item of list(fields['cmds'])) {
    const command = nodeOf(item, 'AlterTableCmd')
    if (command === undefined)
      return reading.opaque('ALTER TABLE holds something that the gateway does not know')
    readCommand(command, () => reading.does('grant', onRelation(relation)), reading)
  }
  readChildren('AlterTableStmt', fields, reading, ['relation', 'cmds'])
}

function readCommand(command: Fields, grants: () => void, reading: ReadingBuilder): void {
  const subtype = text(command['subtype']) ?? ''
  const because = REFUSED.get(subtype)
  if (because !== undefined) return reading.opaque(because)
  if (ROW_SECURITY.has(subtype)) grants()
  if (subtype === 'AT_ReplicaIdentity') return
  // ATTACH and DETACH PARTITION, [NO] INHERIT: the other table is changed as well.
  const def = tagged(command['def'])
  const other =
    def?.tag === 'PartitionCmd'
      ? relationName(def.fields['name'])
      : def?.tag === 'RangeVar'
        ? relationName(def.fields)
        : undefined
  if (other) reading.does('alter', onRelation(other))
  if (def?.tag === 'RangeVar') return
  if (def?.tag === 'PartitionCmd') return readChildren('PartitionCmd', def.fields, reading, ['name'])
  readChildren('AlterTableCmd', command, reading)
}
