import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import { LRUCache } from 'lru-cache'
import type { Capability } from '../access/capability.ts'
import type { AccessRequest, Action, Decision, Principal, StatementFacts } from '../access/model.ts'
import { circumstances } from './circumstances.ts'
import { cedarContext, principalEntities, resourceEntities } from './cedar-request.ts'
import type { AskedContext } from './cedar-request.ts'
import { ACTION_GROUPS } from './cedar-schema.ts'
import type { AdminAction } from './cedar-schema.ts'
import { GATEWAY, groupEntity, lineage, principalEntity } from './entity-ids.ts'
import type { EntityId } from './entity-ids.ts'
import { askedOf, deniedAsOpaque, deniedByDefault, deniedByError, deniedByForbid } from './explain-denial.ts'
import type { Asked } from './explain-denial.ts'
import { PolicySlices } from './policy-slices.ts'
import type { Slice } from './policy-slices.ts'
import type { ContextPart, PolicyUses } from './policy-uses.ts'
import { policyVersion } from './policy-version.ts'
import type { Policy } from './read-policies.ts'
import type { Resources } from './resources.ts'

/**
 * The policy decision point: access request → decision, under the policies of one set of resources at a time. Default
 * deny; a `forbid` wins over every `permit`; what cannot be evaluated is denied. Synchronous, for the hot path.
 */
export class DecisionPoint implements Disposable {
  #resources: Resources
  #slices: PolicySlices
  #byId: ReadonlyMap<string, Policy>
  #contextUse: ReadonlySet<ContextPart>
  #epoch = 1
  #version: string | undefined
  /** What `capabilityFor` computed in this epoch. As many as principals that come and go within minutes. */
  readonly capabilities = new LRUCache<string, Capability>({ max: 512 })
  /** Decisions of this epoch on operations without a statement: connections, one for each session. */
  readonly #kept = new LRUCache<string, Decision>({ max: 512 })

  constructor(resources: Resources) {
    this.#resources = resources
    this.#slices = new PolicySlices(resources.policies)
    this.#byId = byId(resources.policies)
    this.#contextUse = this.#slices.contextUse()
  }

  get resources(): Resources {
    return this.#resources
  }

  /** Rises with every `swap`. A decision of another epoch is no decision. */
  get epoch(): number {
    return this.#epoch
  }

  /** Names the rules in force, the same after a restart: what an approval is bound to. */
  get version(): string {
    return (this.#version ??= policyVersion(this.#resources))
  }

  /** From now on these policies decide. Nothing is changed when they cannot be loaded. */
  swap(resources: Resources): void {
    const slices = new PolicySlices(resources.policies)
    this.#slices[Symbol.dispose]()
    this.capabilities.clear()
    this.#kept.clear()
    this.#resources = resources
    this.#slices = slices
    this.#byId = byId(resources.policies)
    this.#contextUse = slices.contextUse()
    this.#epoch += 1
    this.#version = undefined
  }

  /**
   * The parts of the context that any policy reads: what a kept decision must be keyed by, besides the epoch, the
   * principal, the target and the operation. With `time` in it, a decision may not be kept at all. With `session` in
   * it, it is for one session only. May name too much, never too little.
   */
  contextUse(): ReadonlySet<ContextPart> {
    return this.#contextUse
  }

  /** Never throws: what cannot be decided is denied with ACCESS_POLICY_ERROR. */
  decide({ principal, target, operation, facts, context }: AccessRequest): Decision {
    const asked = askedOf(principal, target, operation)
    if (facts?.reading === 'opaque') return deniedAsOpaque(asked)
    const ask = (): Decision =>
      this.#decide(asked, lineage(target, operation.resource), facts, context, (slice) =>
        resourceEntities(target, operation.resource, slice.entityData),
      )
    // Decisions on statements are kept by who knows their shapes.
    if (facts !== undefined) return ask()
    const around = circumstances(this.#contextUse, principal, target, context)
    if (around === undefined) return ask()
    const key = JSON.stringify([operation, around])
    const decision = this.#kept.get(key) ?? ask()
    this.#kept.set(key, decision)
    return decision
  }

  /** Decides on an action of administration, on `Gateway::"sallyport"`. Never throws, as `decide`. */
  decideAdmin(principal: Principal, action: AdminAction, context: AskedContext): Decision {
    const asked: Asked = { words: action, action, resource: GATEWAY, principal }
    // An administrator's request is in no recorded session, whatever the caller has at hand.
    const { sessionId: _, ...around } = context
    return this.#decide(asked, [GATEWAY], undefined, around, () => [])
  }

  /** Whether some policy names this entity. Those that none names cannot be told apart but by what they are in. */
  mentions(entity: EntityId): boolean {
    return this.#slices.mentions(entity)
  }

  /**
   * What the policies that may apply to an operation look at and compare with; empty when none of them permits anything,
   * whatever the context.
   */
  usesFor(
    principal: Principal,
    action: Action,
    resource: readonly [EntityId, ...EntityId[]],
  ): readonly PolicyUses[] {
    const slice = this.#sliceFor(principal, action, resource)
    return slice.permits ? slice.uses : []
  }

  /** Frees what Cedar holds. */
  [Symbol.dispose](): void {
    this.#slices[Symbol.dispose]()
  }

  #sliceFor(
    principal: Principal,
    action: Action | AdminAction,
    resource: readonly [EntityId, ...EntityId[]],
  ): Slice {
    const group = ACTION_GROUPS[action]
    const actions = group === undefined ? [action] : [action, group]
    return this.#slices.sliceFor(
      actions.map((id) => ({ type: 'Action', id })),
      [principalEntity(principal), ...principal.groups.map(groupEntity)],
      resource,
    )
  }

  #decide(
    asked: Asked,
    resource: readonly [EntityId, ...EntityId[]],
    facts: StatementFacts | undefined,
    context: AskedContext,
    entitiesFor: (slice: Slice) => EntityJson[],
  ): Decision {
    try {
      const slice = this.#sliceFor(asked.principal, asked.action, resource)
      if (slice.name === undefined) return deniedByDefault(asked)
      const answer = cedar.statefulIsAuthorized({
        principal: principalEntity(asked.principal),
        action: { type: 'Action', id: asked.action },
        resource: resource[0],
        context: cedarContext(context, facts, slice.context),
        preparsedPolicySetId: slice.name,
        entities: [
          ...principalEntities(asked.principal, slice.entityData, slice.named),
          ...(slice.actionGroups ? [actionEntity(asked.action)] : []),
          ...entitiesFor(slice),
        ],
        validateRequest: false,
      })
      if (answer.type === 'failure') return deniedByError(asked, [], messages(answer.errors))
      const { decision, diagnostics } = answer.response
      const determining = diagnostics.reason.toSorted()
      if (decision === 'deny' && determining.length > 0) {
        return deniedByForbid(
          asked,
          determining.flatMap((id) => this.#byId.get(id) ?? []),
        )
      }
      if (diagnostics.errors.length > 0) {
        const failed = diagnostics.errors.map((error) => error.policyId).toSorted()
        return deniedByError(asked, failed, messages(diagnostics.errors.map(({ error }) => error)))
      }
      if (decision === 'deny') return deniedByDefault(asked)
      return { effect: 'permit', policies: determining, obligations: [] }
    } catch {
      return deniedByError(asked, [], 'the policy engine failed')
    }
  }
}

function actionEntity(action: Action | AdminAction): EntityJson {
  const group = ACTION_GROUPS[action]
  const parents = group === undefined ? [] : [{ type: 'Action', id: group }]
  return { uid: { type: 'Action', id: action }, attrs: {}, parents }
}

function byId(policies: readonly Policy[]): ReadonlyMap<string, Policy> {
  return new Map(policies.map((policy) => [policy.id, policy]))
}

function messages(errors: readonly { readonly message: string }[]): string {
  return errors.map((error) => error.message).join('; ')
}
