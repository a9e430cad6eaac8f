import { UNKNOWN_FLOW } from '../../access/data-flow.ts'
import type { Action } from '../../access/model.ts'
import { readAlterTable } from './read-alter-table.ts'
import { readGrant } from './read-grant.ts'
import { readComment, readDrop, readMove, readRename, refuseReservedSchema } from './read-object.ts'
import { readChildren } from './read-query.ts'
import type { ReadingBuilder } from './reading.ts'
import { inSchemaOfName, makesRelation, onRelation, relationName } from './relation-name.ts'
import { storedIn } from './stored-in.ts'
import type { Fields } from './tree.ts'
import { list, nodeOf, text } from './tree.ts'

type Rule = (fields: Fields, reading: ReadingBuilder) => void

const DATABASE = { type: 'Database' } as const

const refused =
  (because: string): Rule =>
  (_, reading) =>
    reading.opaque(because)

const CODE = 'it installs or changes code that would run later, out of sight of policy'
const ROLES = 'it changes roles or what they may do; the gateway makes the only roles that sessions use'
const SERVER = "it changes the server itself, not this database's data"
const OUTSIDE = 'it connects the database to something outside of it'

/** Reads the parts of a definition that its own rule has not: defaults, checks, queries. */
function rest(tag: string, fields: Fields, done: readonly string[], reading: ReadingBuilder): void {
  readChildren(tag, fields, reading, done)
}

/** Statements that define things, a rule for each. `CREATE` of what is in no schema policy could name is refused. */
const DEFINITIONS: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['CreateStmt', readCreateTable],
  ['ViewStmt', readCreateView],
  ['IndexStmt', (fields, reading) => onTable('create', 'IndexStmt', 'relation', fields, reading)],
  ['CreateSeqStmt', readCreateSequence],
  ['AlterSeqStmt', (fields, reading) => onTable('alter', 'AlterSeqStmt', 'sequence', fields, reading)],
  ['CreateSchemaStmt', readCreateSchema],
  ['CreateEnumStmt', (fields, reading) => inSchema('create', 'CreateEnumStmt', 'typeName', fields, reading)],
  [
    'CreateDomainStmt',
    (fields, reading) => inSchema('create', 'CreateDomainStmt', 'domainname', fields, reading),
  ],
  ['CompositeTypeStmt', readCreateComposite],
  ['AlterEnumStmt', (fields, reading) => inSchema('alter', 'AlterEnumStmt', 'typeName', fields, reading)],
  ['AlterDomainStmt', (fields, reading) => inSchema('alter', 'AlterDomainStmt', 'typeName', fields, reading)],
  ['AlterTypeStmt', refused(CODE)],
  ['CreateStatsStmt', readCreateStatistics],
  ['AlterStatsStmt', (fields, reading) => inSchema('alter', 'AlterStatsStmt', 'defnames', fields, reading)],
  ['AlterTableStmt', readAlterTable],
  ['RenameStmt', readRename],
  ['AlterObjectSchemaStmt', readMove],
  ['DropStmt', readDrop],
  ['CommentStmt', readComment],
  ['GrantStmt', readGrant],
  ['CreatePolicyStmt', readRowPolicy('CreatePolicyStmt')],
  ['AlterPolicyStmt', readRowPolicy('AlterPolicyStmt')],

  ['DoStmt', refused('DO runs code that the gateway cannot read')],
  ['CreateFunctionStmt', refused(CODE)],
  ['AlterFunctionStmt', refused(CODE)],
  ['CreateTrigStmt', refused(CODE)],
  ['CreateEventTrigStmt', refused(CODE)],
  ['AlterEventTrigStmt', refused(CODE)],
  ['RuleStmt', refused(CODE)],
  ['CreatePLangStmt', refused(CODE)],
  ['CreateCastStmt', refused(CODE)],
  ['CreateConversionStmt', refused(CODE)],
  ['CreateTransformStmt', refused(CODE)],
  ['CreateOpClassStmt', refused(CODE)],
  ['CreateOpFamilyStmt', refused(CODE)],
  ['AlterOpFamilyStmt', refused(CODE)],
  ['AlterOperatorStmt', refused(CODE)],
  ['CreateAmStmt', refused(CODE)],
  ['CreateRangeStmt', refused(CODE)],
  ['DefineStmt', refused(CODE)],
  ['CreateExtensionStmt', refused(CODE)],
  ['AlterExtensionStmt', refused(CODE)],
  ['AlterExtensionContentsStmt', refused(CODE)],
  ['AlterObjectDependsStmt', refused(CODE)],
  ['AlterCollationStmt', refused(CODE)],
  ['AlterTSConfigurationStmt', refused(CODE)],
  ['AlterTSDictionaryStmt', refused(CODE)],
  ['LoadStmt', refused(CODE)],

  ['GrantRoleStmt', refused(ROLES)],
  ['CreateRoleStmt', refused(ROLES)],
  ['AlterRoleStmt', refused(ROLES)],
  ['AlterRoleSetStmt', refused(ROLES)],
  ['DropRoleStmt', refused(ROLES)],
  ['DropOwnedStmt', refused(ROLES)],
  ['ReassignOwnedStmt', refused(ROLES)],
  ['AlterOwnerStmt', refused(ROLES)],
  ['AlterDefaultPrivilegesStmt', refused(ROLES)],
  ['SecLabelStmt', refused(ROLES)],

  ['AlterSystemStmt', refused(SERVER)],
  ['AlterDatabaseStmt', refused(SERVER)],
  ['AlterDatabaseSetStmt', refused(SERVER)],
  ['AlterDatabaseRefreshCollStmt', refused(SERVER)],
  ['CreatedbStmt', refused(SERVER)],
  ['DropdbStmt', refused(SERVER)],
  ['CreateTableSpaceStmt', refused(SERVER)],
  ['DropTableSpaceStmt', refused(SERVER)],
  ['AlterTableSpaceOptionsStmt', refused(SERVER)],
  ['AlterTableMoveAllStmt', refused(SERVER)],
  ['CheckPointStmt', refused(SERVER)],

  ['CreateFdwStmt', refused(OUTSIDE)],
  ['AlterFdwStmt', refused(OUTSIDE)],
  ['CreateForeignServerStmt', refused(OUTSIDE)],
  ['AlterForeignServerStmt', refused(OUTSIDE)],
  ['CreateForeignTableStmt', refused(OUTSIDE)],
  ['ImportForeignSchemaStmt', refused(OUTSIDE)],
  ['CreateUserMappingStmt', refused(OUTSIDE)],
  ['AlterUserMappingStmt', refused(OUTSIDE)],
  ['DropUserMappingStmt', refused(OUTSIDE)],
  ['CreatePublicationStmt', refused(OUTSIDE)],
  ['AlterPublicationStmt', refused(OUTSIDE)],
  ['CreateSubscriptionStmt', refused(OUTSIDE)],
  ['AlterSubscriptionStmt', refused(OUTSIDE)],
  ['DropSubscriptionStmt', refused(OUTSIDE)],
])

/** Reads a statement that defines, changes or removes something. False when it is none that is known. */
export function readDefinition(tag: string, fields: Fields, reading: ReadingBuilder): boolean {
  const rule = DEFINITIONS.get(tag)
  rule?.(fields, reading)
  return rule !== undefined
}

/** Something that belongs to one relation, and is not a relation of its own. */
function onTable(action: Action, tag: string, field: string, fields: Fields, reading: ReadingBuilder): void {
  const relation = relationName(fields[field])
  if (relation) reading.does(action, onRelation(relation))
  else reading.opaque('a relation has no name')
  rest(tag, fields, [field], reading)
}

/** Something that lives in a schema, and is no relation. */
function inSchema(action: Action, tag: string, name: string, fields: Fields, reading: ReadingBuilder): void {
  inSchemaOfName(fields[name], action, reading)
  rest(tag, fields, [name], reading)
}

function readCreateTable(fields: Fields, reading: ReadingBuilder): void {
  makesRelation(fields['relation'], reading)
  // To inherit from a table, or be a partition of it, is to change it: its queries then read the new one too.
  for (const item of list(fields['inhRelations'])) {
    const parent = relationName(nodeOf(item, 'RangeVar'))
    if (parent) reading.does('alter', onRelation(parent))
  }
  rest('CreateStmt', fields, ['relation', 'inhRelations'], reading)
}

function readCreateView(fields: Fields, reading: ReadingBuilder): void {
  const view = relationName(fields['view'])
  // A view of a temporary relation is temporary itself (CREATE VIEW, "Parameters").
  const made = makesRelation(fields['view'], reading)
  if (view?.schema === undefined && reading.names.hasTemporary) makesRelation(fields['view'], reading, true)
  if (fields['replace'] === true && view) reading.does('alter', onRelation(view))
  rest('ViewStmt', fields, ['view'], reading)
  reading.flows(storedIn(made, list(fields['aliases']), UNKNOWN_FLOW))
}

function readCreateSequence(fields: Fields, reading: ReadingBuilder): void {
  makesRelation(fields['sequence'], reading)
  rest('CreateSeqStmt', fields, ['sequence'], reading)
}

function readCreateComposite(fields: Fields, reading: ReadingBuilder): void {
  makesRelation(fields['typevar'], reading)
  rest('CompositeTypeStmt', fields, ['typevar'], reading)
}

function readCreateSchema(fields: Fields, reading: ReadingBuilder): void {
  reading.does('create', DATABASE)
  if (fields['authrole'] !== undefined) reading.opaque(ROLES)
  refuseReservedSchema(text(fields['schemaname']), reading)
  if (fields['schemaElts'] !== undefined) {
    reading.opaque('CREATE SCHEMA makes more than the schema; create what is in it by statements of its own')
  }
}

function readCreateStatistics(fields: Fields, reading: ReadingBuilder): void {
  inSchemaOfName(fields['defnames'], 'create', reading)
  for (const item of list(fields['relations'])) {
    const relation = relationName(nodeOf(item, 'RangeVar'))
    if (relation) reading.does('alter', onRelation(relation))
    else reading.opaque('statistics are made on something that is no relation')
  }
  rest('CreateStatsStmt', fields, ['defnames', 'relations'], reading)
}

/** Row-level security says what others may see: to change it is to grant. */
function readRowPolicy(tag: string): Rule {
  return (fields, reading) => {
    const relation = relationName(fields['table'])
    if (relation === undefined) return reading.opaque('a relation has no name')
    reading.does('alter', onRelation(relation))
    reading.does('grant', onRelation(relation))
    rest(tag, fields, ['table'], reading)
  }
}
