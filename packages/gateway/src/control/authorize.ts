import { AccessDenied, SallyportError } from '../access/errors.ts'
import type { AccessContext, Decision, Principal, Target } from '../access/model.ts'
import type { AdminAction } from '../policy/cedar-schema.ts'
import { type Caller, contextOf } from './caller.ts'
import type { ControlServices } from './services.ts'

type Deciding = Pick<ControlServices, 'policy' | 'audit'>

/** Whether policy lets the caller do this; for choosing what to show, where a "no" is no event. */
export function mayAdminister({ policy }: Deciding, caller: Caller, action: AdminAction): boolean {
  return policy.decideAdmin(caller.principal, action, contextOf(caller)).effect === 'permit'
}

/** @throws AccessDenied, audited */
export function authorizeAdmin(services: Deciding, caller: Caller, action: AdminAction): void {
  const decision = services.policy.decideAdmin(caller.principal, action, contextOf(caller))
  enforce(services, caller, decision, { action })
}

/**
 * The target of that name, if the caller may connect to it now.
 * @throws SallyportError TARGET_UNKNOWN
 * @throws AccessDenied, audited
 */
export function authorizeConnect(
  services: Deciding & Pick<ControlServices, 'targets'>,
  caller: Caller,
  name: string,
  around: { readonly via?: AccessContext['via']; readonly purpose?: string | undefined } = {},
): Target {
  const target = services.targets.get(name)
  if (target === undefined) {
    throw new SallyportError('TARGET_UNKNOWN', `there is no target named "${name}"`, {
      hint: 'GET /api/v1/targets, `sallyport targets list` or the tool list_targets show those that are open to you',
    })
  }
  const context = {
    ...contextOf(caller),
    ...(around.via === undefined ? {} : { via: around.via }),
    ...(around.purpose === undefined ? {} : { purpose: around.purpose }),
  }
  const decision = services.policy.decideConnect(caller.principal, target, context)
  // Whether people have approved the connection is asked when it is opened: a ticket opens nothing by itself.
  if (decision.effect === 'deny' && decision.approval !== undefined) return target
  enforce(services, caller, decision, { action: 'connect', target: target.name })
  return target
}

/**
 * One's own: what this principal did, or what an agent did for this person. An agent that acts for one person has what it
 * did for that one; what the same agent did for others is theirs.
 */
export function isOwn(principal: Principal, of: Principal | undefined): boolean {
  if (of === undefined) return false
  const { actingFor } = principal
  if (isSame(principal, of)) return actingFor === undefined || isOwn(actingFor, of.actingFor)
  return isOwn(principal, of.actingFor)
}

function isSame(a: Principal, b: Principal): boolean {
  return a.kind === b.kind && a.id === b.id
}

function enforce(
  { audit }: Deciding,
  caller: Caller,
  decision: Decision,
  asked: { readonly action: string; readonly target?: string },
): void {
  if (decision.effect === 'permit') return
  audit({
    type: 'access.denied',
    principal: caller.principal.id,
    ...(asked.target === undefined ? {} : { target: asked.target }),
    detail: { action: asked.action, policies: decision.policies, requestId: caller.requestId },
  })
  throw new AccessDenied(decision.code ?? 'ACCESS_POLICY_DENIED', decision.reason, {
    policies: decision.policies,
    ...(decision.hint === undefined ? {} : { hint: decision.hint }),
  })
}
