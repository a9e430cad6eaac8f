import { capabilityOf } from '../access/capability.ts'
import type { Capability, Grant, Verb } from '../access/capability.ts'
import type { Catalog } from '../access/catalog.ts'
import { NO_USAGE } from '../access/model.ts'
import type { AccessContext, Action, Principal, Resource, Target } from '../access/model.ts'
import { circumstances } from './circumstances.ts'
import type { DecisionPoint } from './decision-point.ts'
import { schemaEntity, tableEntity } from './entity-ids.ts'
import { optimisticFacts } from './optimistic-facts.ts'
import type { ContextPart } from './policy-uses.ts'

/** `merge` is none: MERGE needs the privileges of its parts (PostgreSQL, MERGE), and each is an operation of its own. */
const VERBS: readonly Verb[] = ['select', 'insert', 'update', 'delete', 'truncate', 'maintain']

/**
 * Everything that policy permits this principal on this target, for *some* statement: what its temporary credential is
 * granted. A `forbid delete unless context.statement.hasWhere` leaves DELETE in it, because some DELETE is permitted;
 * which ones is decided statement by statement. Policies on the time are asked for the moment in `context`.
 *
 * Policies are asked about one table in place of all tables that they cannot tell apart: a Table has no attributes, its
 * tags are its target's, and no operator turns an id into a text; so what no policy names differs only in what it is in.
 * The same goes for schemas. The number of questions is thus verbs × (schemas and tables that policies name), however
 * big the catalog: `capability-for.test.ts` holds a catalog of 1,000 tables against asking for each one. Measured with
 * `vitest bench packages/gateway/src/policy` on two cores, 1,000 tables: 3 ms under the demo's policies, 4 ms under 1,000
 * policies; asking for each pair would be 6,000 questions of 0.1 ms or more. Cedar's partial evaluation was no choice: its
 * call takes policies as text, and 1,000 of them cost more than 20 ms to parse.
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
  const may = (action: Action, resource: Resource): boolean => {
    const answer = permitsSome(point, principal, target, { action, resource }, asked)
    if (answer === 'if approved' && action !== 'select') writesIfApproved = true
    return answer === true
  }
  const verbsOf = new Map<string, readonly Verb[]>()
  const grants: Grant[] = []
  for (const { schema, name } of catalog.relations) {
    if (isSystemSchema(schema)) continue
    const alike = likeOthers(point, target, schema, name)
    let verbs = verbsOf.get(alike)
    if (verbs === undefined) {
      verbs = VERBS.filter((verb) => may(verb, { type: 'Table', schema, table: name }))
      verbsOf.set(alike, verbs)
    }
    for (const verb of verbs) grants.push({ verb, schema, table: name })
  }
  const mayCreate = new Map<string, boolean>()
  const createIn = catalog.schemas.filter((schema) => {
    if (isSystemSchema(schema)) return false
    const alike = likeOthers(point, target, schema)
    const known = mayCreate.get(alike) ?? may('create', { type: 'Schema', schema })
    mayCreate.set(alike, known)
    return known
  })
  const capability = capabilityOf(grants, createIn, writesIfApproved)
  if (key !== undefined) point.capabilities.set(key, capability)
  return capability
}

/** `pg_` is reserved for them (PostgreSQL, Schemas). */
function isSystemSchema(schema: string): boolean {
  return schema.startsWith('pg_') || schema === 'information_schema'
}

/** The same text for all tables, or schemas, that no policy can tell apart. */
function likeOthers(point: DecisionPoint, target: Target, schema: string, table?: string): string {
  const inSchema = schemaEntity(target, schema)
  const named = point.mentions(inSchema) ? inSchema.id : ''
  if (table === undefined) return named
  const self = tableEntity(target, schema, table)
  return point.mentions(self) ? self.id : named
}

function permitsSome(
  point: DecisionPoint,
  principal: Principal,
  target: Target,
  operation: { readonly action: Action; readonly resource: Resource },
  context: AccessContext,
): boolean | 'if approved' {
  const uses = point.usesFor(principal, target, operation)
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
