import type { ApprovalNeed, ApprovalRule } from '../access/approval.ts'
import type { Action, Decision, Operation, Principal, Target } from '../access/model.ts'
import type { AdminAction } from './cedar-schema.ts'
import { columnEntity, inCedar, lineage } from './entity-ids.ts'
import type { EntityId } from './entity-ids.ts'
import type { Policy } from './read-policies.ts'

export type Denial = Extract<Decision, { effect: 'deny' }>

/** What was asked, in the words of the person or agent who asked it: "update on public.orders". */
export interface Asked {
  readonly words: string
  readonly action: Action | AdminAction
  readonly resource: EntityId
  readonly principal: Principal
}

export function askedOf(
  principal: Principal,
  target: Target,
  { action, resource, through }: Operation,
  column?: string,
): Asked {
  const where = {
    Target: () => `target ${target.name}`,
    Database: () => `database ${target.database}`,
    Schema: () => `schema ${'schema' in resource ? resource.schema : ''}`,
    DataClass: () => `data class ${'name' in resource ? resource.name : ''}`,
    Table: () =>
      'table' in resource
        ? `${resource.schema}.${resource.table}${column === undefined ? '' : `.${column}`}`
        : '',
  }[resource.type]()
  const by = through === undefined ? '' : `, through ${through.schema}.${through.table},`
  const words = action === 'connect' ? `connect to ${where}` : `${action} on ${where}${by}`
  const entity =
    resource.type === 'Table' && column !== undefined
      ? columnEntity(target, resource.schema, resource.table, column)
      : lineage(target, resource)[0]
  return { words, action, resource: entity, principal }
}

/** No policy permits it (default deny). */
export function deniedByDefault(asked: Asked): Denial {
  const { groups } = asked.principal
  const who = groups.length === 0 ? `${asked.principal.id} is in no group` : `groups: ${groups.join(', ')}`
  return {
    effect: 'deny',
    policies: [],
    reason: `${notPermitted(asked)}: no policy permits it`,
    hint: `a policy would have to permit Action::"${asked.action}" on ${inCedar(asked.resource)} (${who})`,
    code: 'ACCESS_POLICY_DENIED',
  }
}

/** Policies forbid it, whatever others permit. The first that has words for people is quoted. */
export function deniedByForbid(asked: Asked, forbids: readonly Policy[]): Denial {
  const why = firstOf(forbids, ['reason', 'description'])
  const advice = firstOf(forbids, ['advice'])
  const ids = forbids.map((policy) => policy.id)
  return {
    effect: 'deny',
    policies: ids,
    reason: `${notPermitted(asked)}: ${why ?? 'it is forbidden'} (policy ${ids.join(', ')})`,
    ...(advice === undefined ? {} : { hint: advice }),
    code: 'ACCESS_POLICY_DENIED',
  }
}

/** Policies forbid it until people have said yes. */
export function needsApproval(
  asked: Asked,
  forbids: readonly Policy[],
  rules: readonly ApprovalRule[],
): Denial & { readonly approval: ApprovalNeed } {
  const denial = deniedByForbid(asked, forbids)
  const who = rules
    .map(({ approvers, quorum }) => `${quorum === 1 ? 'one' : quorum} of ${approvers.join(', ')}`)
    .join(', and ')
  const reason = firstOf(forbids, ['reason', 'description']) ?? `${asked.words} needs an approval`
  return {
    ...denial,
    reason: `${asked.words} needs an approval by ${who}: ${reason} (policy ${denial.policies.join(', ')})`,
    approval: { policies: denial.policies, rules, reason },
  }
}

/** People could say yes to what these policies forbid, and it would still not be permitted. */
export function withoutHelp(
  denial: Denial,
  asked: Asked,
  then: { readonly permits: readonly string[]; readonly forbids: readonly string[] },
): Denial {
  if (then.forbids.length > 0 || then.permits.length > 0) return denial
  const { hint } = deniedByDefault(asked)
  return { ...denial, hint: `an approval would not help, because no policy permits it: ${hint}` }
}

/**
 * Policies failed while they were evaluated. Cedar skips such a policy, so that a failing `forbid` would forbid
 * nothing: the request is denied instead, and whoever keeps the policy has something to find.
 */
export function deniedByError(asked: Asked, policies: readonly string[], message: string): Denial {
  const which = policies.length === 0 ? 'policy' : `policy ${policies.join(', ')}`
  return {
    effect: 'deny',
    policies,
    reason: `${notPermitted(asked)}: ${which} could not be evaluated: ${message}`,
    hint: 'the policy has to be corrected by whoever keeps it; nothing in the request will help',
    code: 'ACCESS_POLICY_ERROR',
  }
}

/** What could not be read whole could do anything. */
export function deniedAsOpaque(asked: Asked): Denial {
  return {
    effect: 'deny',
    policies: [],
    reason: `${notPermitted(asked)}: the statement could not be read whole`,
    hint: 'write it as one plain statement',
    code: 'ACCESS_STATEMENT_OPAQUE',
  }
}

function notPermitted({ words, principal }: Asked): string {
  const behalf = principal.actingFor === undefined ? '' : ` acting for ${principal.actingFor.id}`
  return `${words} is not permitted for ${principal.id}${behalf}`
}

function firstOf(policies: readonly Policy[], annotations: readonly string[]): string | undefined {
  for (const name of annotations) {
    for (const policy of policies) {
      const text = policy.annotations[name]
      if (text !== undefined && text !== '') return text
    }
  }
  return undefined
}
