import { capabilityOf } from '../access/capability.ts'
import type { Capability, Grant, Verb } from '../access/capability.ts'
import { type Catalog, isSystemSchema, type Relation } from '../access/catalog.ts'
import { NO_USAGE } from '../access/model.ts'
import type { AccessContext, Operation, Principal, Target } from '../access/model.ts'
import { circumstances } from './circumstances.ts'
import type { DecisionPoint } from './decision-point.ts'
import { schemaEntity, tableEntity } from './entity-ids.ts'
import { optimisticFacts } from './optimistic-facts.ts'
import type { ContextPart } from './policy-uses.ts'
import { type Below, Reach } from './reach.ts'

/** `merge` is none: MERGE needs the privileges of its parts (PostgreSQL, MERGE), and each is an operation of its own. */
const VERBS: readonly Verb[] = ['select', 'insert', 'update', 'delete', 'truncate', 'maintain']
const VERBS_ON_COLUMNS: ReadonlySet<Verb> = new Set<Verb>(['select', 'insert', 'update'])

/** What every table has besides its own (PostgreSQL, "System Columns"): drivers read versions and places of rows there. */
const SYSTEM_COLUMNS = ['cmax', 'cmin', 'ctid', 'tableoid', 'xmax', 'xmin']

/**
 * Everything that policy permits this principal on this target, for *some* statement: what its temporary credential is
 * granted. A `forbid delete unless context.statement.hasWhere` leaves DELETE in it, because some DELETE is permitted;
 * which ones is decided statement by statement. Policies on the time are asked for the moment in `context`.
 *
 * Policies are asked about one table in place of all tables that they cannot tell apart: a Table has no attributes, its
 * tags are its target's, and no operator turns an id into a text; so what no policy names differs only in what it is in.
 * The same goes for schemas and columns. The number of questions is thus verbs × (schemas, tables and columns that policies
 * name, or of whose data classes they do), however big the catalog: `capability-for.test.ts` holds a catalog of 1,000 tables
 * against asking for each one. Measured with `vitest bench packages/gateway/src/policy` on two busy cores, 1,000 tables with a
 * view on each and cascades between them: 21 ms under the demo's policies, 25 ms under 1,000 policies; asking for each pair
 * would be 6,000 questions of 0.1 ms or more. Cedar's partial evaluation was no choice: its call takes policies as text, and
 * 1,000 of them cost more than 20 ms to parse.
 *
 * Columns are granted one by one where policy permits some of a table's and not others. A view is granted when nothing that
 * its query reads is forbidden, however deep: a statement that would show only the rest of it is permitted by the gateway, and
 * refused by the target. The same goes for partitions and their parents, and for what a DELETE cascades to.
 *
 * System schemas are never in it: every PostgreSQL role reads them anyway, and nobody may own more of them.
 */
export function capabilityFor(
  point: DecisionPoint,
  principal: Principal,
  target: Target,
  catalog: Catalog,
  context: AccessContext,
): Capability {
  // How much was done of late is not for the credential: it is for this session as long as it lasts, and counts change.
  const asked = { ...context, usage: NO_USAGE }
  const key = keyFor(point.contextUse(), principal, target, catalog, asked)
  const known = key === undefined ? undefined : point.capabilities.get(key)
  if (known !== undefined) return known
  let writesIfApproved = false
  const answers = new Map<string, boolean>()
  const may: May = (operation) => {
    const alike = likeOthers(point, target, operation)
    const before = answers.get(alike)
    if (before !== undefined) return before
    const answer = permitsSome(point, principal, target, operation, asked)
    if (answer === 'if approved' && operation.action !== 'select') writesIfApproved = true
    answers.set(alike, answer === true)
    return answer === true
  }
  const reach = new Reach(catalog)
  const grants: Grant[] = []
  for (const relation of catalog.relations) {
    const { schema, name } = relation
    if (isSystemSchema(schema)) continue
    for (const { verb, columns } of permittedOn(
      relation,
      columnsApart(point, target, relation),
      reach.below(relation),
      may,
    )) {
      grants.push({ verb, schema, table: name, ...(columns === undefined ? {} : { columns }) })
    }
  }
  const createIn = catalog.schemas.filter(
    (schema) => !isSystemSchema(schema) && may({ action: 'create', resource: { type: 'Schema', schema } }),
  )
  const capability = capabilityOf(grants, createIn, writesIfApproved)
  if (key !== undefined) point.capabilities.set(key, capability)
  return capability
}

interface Permitted {
  readonly verb: Verb
  /** Left out: the whole table. */
  readonly columns?: readonly string[]
}

type May = (operation: Operation) => boolean

/**
 * The privileges on one relation. Its columns are asked about together where no policy tells them apart. What a statement on
 * it leads to below must not be forbidden for any statement: it would be denied, whatever else it does.
 */
function permittedOn(
  relation: Relation,
  apart: readonly string[],
  below: readonly Below[],
  may: May,
): readonly Permitted[] {
  const resource = { type: 'Table', schema: relation.schema, table: relation.name } as const
  const permitted: Permitted[] = []
  for (const verb of VERBS) {
    if (!VERBS_ON_COLUMNS.has(verb)) {
      if (may({ action: verb, resource }) && below.every((one) => one.verb !== verb || may(one.operation))) {
        permitted.push({ verb })
      }
      continue
    }
    const others = may({ action: verb, resource, columns: [] })
    const own = apart.filter((column) => may({ action: verb, resource, columns: [column] }))
    if (!others && own.length === 0) continue
    if (!below.every((one) => one.verb !== verb || may(one.operation))) continue
    if (others && own.length === apart.length) permitted.push({ verb })
    else permitted.push({ verb, columns: columnsOf(relation, verb, apart, others, own) })
  }
  return permitted
}

function columnsOf(
  { kind, columns }: Relation,
  verb: Verb,
  apart: readonly string[],
  others: boolean,
  own: readonly string[],
): readonly string[] {
  if (!others) return own
  const withheld = new Set(apart.filter((column) => !own.includes(column)))
  const names = columns.map(({ name }) => name).filter((name) => !withheld.has(name))
  return verb === 'select' && kind !== 'view' ? [...names, ...SYSTEM_COLUMNS] : names
}

/** Those of its columns that some policy can tell from the others. */
function columnsApart(point: DecisionPoint, target: Target, relation: Relation): readonly string[] {
  const apart = point.columnsApart(target, relation.schema, relation.name)
  if (apart !== 'all' && apart.size === 0) return []
  return relation.columns.map(({ name }) => name).filter((name) => apart === 'all' || apart.has(name))
}

/** The same text for operations that no policy can tell apart. */
function likeOthers(point: DecisionPoint, target: Target, operation: Operation): string {
  const { action, resource, columns = [], through } = operation
  if (resource.type !== 'Table' && resource.type !== 'Schema') return JSON.stringify(operation)
  const how = `${action} ${through === undefined ? '' : 'through '}`
  const inSchema = schemaEntity(target, resource.schema)
  const schema = point.mentions(inSchema) ? inSchema.id : ''
  if (resource.type === 'Schema') return `${how}in ${schema}`
  const self = tableEntity(target, resource.schema, resource.table)
  if (columns.length > 0) {
    const apart = point.columnsApart(target, resource.schema, resource.table)
    if (apart === 'all' || columns.some((column) => apart.has(column))) {
      return `${how}of ${self.id} ${JSON.stringify(columns)}`
    }
  }
  return `${how}on ${point.mentions(self) ? self.id : schema}`
}

function permitsSome(
  point: DecisionPoint,
  principal: Principal,
  target: Target,
  operation: Operation,
  context: AccessContext,
): boolean | 'if approved' {
  const uses = point.usesFor(principal, target, operation)
  // Nothing has to permit what happens by way of something else, and nothing forbids it.
  if (operation.through !== undefined && uses.length === 0) return true
  let answer: false | 'if approved' = false
  for (const facts of optimisticFacts(uses, operation.action)) {
    const decision = point.decide({ principal, target, operation, facts, context })
    if (decision.effect === 'permit') return true
    if (decision.approval !== undefined) answer = 'if approved'
  }
  return answer
}

/** What a capability hangs on besides the policies; undefined when it hangs on the moment, and cannot be kept. */
function keyFor(
  parts: ReadonlySet<ContextPart>,
  principal: Principal,
  target: Target,
  catalog: Catalog,
  context: AccessContext,
): string | undefined {
  const lasting = new Set([...parts].filter((part) => part !== 'lastMinute' && part !== 'lastHour'))
  const around = circumstances(lasting, principal, target, context)
  return around === undefined ? undefined : `${catalog.version} ${around}`
}
