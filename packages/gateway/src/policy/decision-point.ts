import type { AlarmRule } from '../access/alarm.ts'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import { LRUCache } from 'lru-cache'
import type { ApprovalNeed } from '../access/approval.ts'
import type { Capability } from '../access/capability.ts'
import type {
  AccessRequest,
  Action,
  Decision,
  Operation,
  Principal,
  StatementFacts,
  Target,
} from '../access/model.ts'
import { asIfApproved, mergeNeeds } from './approval-rule.ts'
import { circumstances } from './circumstances.ts'
import { cedarContext, principalEntities, resourceEntities } from './cedar-request.ts'
import type { AskedContext } from './cedar-request.ts'
import { ACTION_GROUPS } from './cedar-schema.ts'
import type { AdminAction } from './cedar-schema.ts'
import { classLine } from './classified-fields.ts'
import {
  GATEWAY,
  columnLineage,
  dataClassEntity,
  entityKey,
  groupEntity,
  lineage,
  principalEntity,
  tableEntity,
} from './entity-ids.ts'
import type { EntityId, Lineage } from './entity-ids.ts'
import {
  askedOf,
  deniedAsOpaque,
  deniedByDefault,
  deniedByError,
  deniedByForbid,
  needsApproval,
  withoutHelp,
} from './explain-denial.ts'
import type { Asked, Denial } from './explain-denial.ts'
import { PolicySlices } from './policy-slices.ts'
import type { Slice, Speaking } from './policy-slices.ts'
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
  decide(request: AccessRequest): Decision {
    const { principal, target, operation, facts, context } = request
    if (facts?.reading === 'opaque') return deniedAsOpaque(askedOf(principal, target, operation))
    const ask = (): Decision => this.#decide(this.#questions(request), facts, context)
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
    const parts = [{ resource: [GATEWAY] as const, entities: () => [] }]
    return this.#decide([{ asked, through: false, parts }], undefined, around)
  }

  /**
   * The columns of a table that some policy can tell from the others: those that one names, or whose data class one names.
   * `all` where a policy asks whether a resource `is Column`, or a column is of a named class unless it is listed otherwise.
   */
  columnsApart(target: Target, schema: string, table: string): ReadonlySet<string> | 'all' {
    if (this.#slices.tellsAllColumns) return 'all'
    const fields = this.#resources.fields.get(target.name)
    const classified = fields?.columnsOf(schema, table) ?? []
    if (classified === 'all') return 'all'
    const apart = new Set(this.#slices.columnsNamed(tableEntity(target, schema, table)))
    for (const column of classified) {
      if (
        this.#classesOf(target, schema, table, column).some((name) => this.mentions(dataClassEntity(name)))
      ) {
        apart.add(column)
      }
    }
    return apart
  }

  /** Whether some policy names this entity. Those that none names cannot be told apart but by what they are in. */
  mentions(entity: EntityId): boolean {
    return this.#slices.mentions(entity)
  }

  /**
   * What the policies that may apply to an operation look at and compare with; empty when none of them permits anything,
   * whatever the context, and that is needed.
   */
  usesFor(principal: Principal, target: Target, operation: Operation): readonly PolicyUses[] {
    const { action } = operation
    const slices = this.#questions({ principal, target, operation }).flatMap(({ parts }) =>
      parts.map(({ resource, speaking }) => this.#sliceFor(principal, action, resource, speaking)),
    )
    const matters = operation.through !== undefined || slices.some(({ permits }) => permits)
    return matters ? slices.flatMap(({ uses }) => uses) : []
  }

  /** The policies with these ids, in this order. Those that are none of the policies in force are left out. */
  policiesNamed(ids: readonly string[]): readonly Policy[] {
    return ids.flatMap((id) => this.#byId.get(id) ?? [])
  }

  /** What those of the policies with these ids that carry `@alarm` say about it. */
  alarmsOf(ids: readonly string[]): readonly AlarmRule[] {
    return this.policiesNamed(ids).flatMap(({ alarm }) => alarm ?? [])
  }

  /** Frees what Cedar holds. */
  [Symbol.dispose](): void {
    this.#slices[Symbol.dispose]()
  }

  #sliceFor(
    principal: Principal,
    action: Action | AdminAction,
    resource: Lineage,
    speaking: Speaking | undefined,
  ): Slice {
    const group = ACTION_GROUPS[action]
    const actions = group === undefined ? [action] : [action, group]
    return this.#slices.sliceFor(
      actions.map((id) => ({ type: 'Action', id })),
      [principalEntity(principal), ...principal.groups.map(groupEntity)],
      resource,
      speaking,
    )
  }

  /**
   * What has to be asked for one operation, all of which must be permitted: one question for the resource, or one for each
   * of its columns that some policy can tell apart, and one for the others. Policies that speak of such a column are asked
   * about the column, all others about its table.
   */
  #questions({ principal, target, operation }: Pick<AccessRequest, 'principal' | 'target' | 'operation'>) {
    const { resource, columns } = operation
    const through = operation.through !== undefined
    const whole = lineage(target, resource)
    const entitiesOf =
      (line: Lineage) =>
      (slice: Slice): EntityJson[] =>
        resourceEntities(target, line, slice.entityData)
    const questions: Question[] = []
    const apart =
      resource.type === 'Table' && columns !== undefined && ON_COLUMNS.has(operation.action)
        ? this.columnsApart(target, resource.schema, resource.table)
        : NO_COLUMNS
    const own =
      resource.type === 'Table' ? (columns ?? []).filter((c) => apart === 'all' || apart.has(c)) : []
    if (own.length === 0 || own.length < (columns ?? []).length) {
      const asked = askedOf(principal, target, operation)
      questions.push({ asked, through, parts: [{ resource: whole, entities: entitiesOf(whole) }] })
    }
    if (resource.type !== 'Table') return questions
    for (const column of own) {
      const { schema, table } = resource
      const classes = this.#classesOf(target, schema, table, column)
      const line = columnLineage(target, { schema, table, column }, classes)
      const of = [line[0], ...classes.map(dataClassEntity)].map(entityKey)
      questions.push({
        asked: askedOf(principal, target, operation, column),
        through,
        parts: [
          { resource: line, speaking: { of, does: true }, entities: entitiesOf(line) },
          { resource: whole, speaking: { of, does: false }, entities: entitiesOf(whole) },
        ],
      })
    }
    return questions
  }

  #classesOf(target: Target, schema: string, table: string, column: string): readonly string[] {
    const { fields, dataClasses } = this.#resources
    const classes = fields.get(target.name)?.of(schema, table, column) ?? []
    return [...new Set(classes.flatMap(({ name }) => classLine(name, dataClasses)))]
  }

  #decide(
    questions: readonly Question[],
    facts: StatementFacts | undefined,
    context: AskedContext,
  ): Decision {
    const permits = new Set<string>()
    const needs: { readonly denial: Denial; readonly need: ApprovalNeed }[] = []
    for (const question of questions) {
      const decision = this.#decideOne(question, facts, context)
      if (decision.effect === 'permit') for (const id of decision.policies) permits.add(id)
      else if (decision.approval === undefined) return decision
      else needs.push({ denial: decision, need: decision.approval })
    }
    const [first] = needs
    if (first !== undefined) {
      const approval = mergeNeeds(needs.map(({ need }) => need))
      return { ...first.denial, policies: approval.policies, approval }
    }
    const policies = [...permits].toSorted()
    const alarms = policies.filter((id) => this.#byId.get(id)?.alarm !== undefined)
    return { effect: 'permit', policies, obligations: [], ...(alarms.length === 0 ? {} : { alarms }) }
  }

  #decideOne(question: Question, facts: StatementFacts | undefined, context: AskedContext): Decision {
    const { asked, through } = question
    try {
      const answer = this.#answer(question, facts, context)
      if (answer.forbids.length > 0) return this.#forbidden(question, answer.forbids, facts, context)
      if (answer.errors.length > 0) {
        const failed = answer.errors.flatMap(({ policyId }) => policyId ?? [])
        return deniedByError(
          asked,
          [...new Set(failed)].toSorted(),
          answer.errors.map(({ message }) => message).join('; '),
        )
      }
      if (answer.permits.length === 0 && !through) return deniedByDefault(asked)
      return { effect: 'permit', policies: answer.permits, obligations: [] }
    } catch {
      return deniedByError(asked, [], 'the policy engine failed')
    }
  }

  /** Only people's word is missing when each of the policies asks for it, and with it the same question is permitted. */
  #forbidden(
    question: Question,
    ids: readonly string[],
    facts: StatementFacts | undefined,
    context: AskedContext,
  ): Decision {
    const forbids = this.policiesNamed(ids)
    const denial = deniedByForbid(question.asked, forbids)
    const rules = forbids.flatMap(({ approval }) => approval ?? [])
    if (rules.length !== forbids.length || context.approval !== undefined) return denial
    const approved = { ...context, approval: asIfApproved(rules, context.now) }
    const then = this.#answer(question, facts, approved)
    const helps = then.forbids.length + then.errors.length === 0 && then.permits.length > 0
    if (!helps && !question.through) return withoutHelp(denial, question.asked, then)
    if (then.forbids.length + then.errors.length > 0) return denial
    return needsApproval(question.asked, forbids, rules)
  }

  #answer(question: Question, facts: StatementFacts | undefined, context: AskedContext): Answer {
    const answers = question.parts.map((part) => this.#answerPart(question.asked, part, facts, context))
    const permits = answers.flatMap((answer) => answer.permits)
    return {
      permits: [...new Set(permits)].toSorted(),
      forbids: [...new Set(answers.flatMap((answer) => answer.forbids))].toSorted(),
      errors: answers.flatMap((answer) => answer.errors),
    }
  }

  #answerPart(
    { principal, action }: Asked,
    { resource, speaking, entities }: Part,
    facts: StatementFacts | undefined,
    context: AskedContext,
  ): Answer {
    const slice = this.#sliceFor(principal, action, resource, speaking)
    if (slice.name === undefined) return SILENCE
    const answer = cedar.statefulIsAuthorized({
      principal: principalEntity(principal),
      action: { type: 'Action', id: action },
      resource: resource[0],
      context: cedarContext(context, facts, slice.context),
      preparsedPolicySetId: slice.name,
      entities: [
        ...principalEntities(principal, slice.entityData, slice.named),
        ...(slice.actionGroups ? [actionEntity(action)] : []),
        ...entities(slice),
      ],
      validateRequest: false,
    })
    if (answer.type === 'failure') {
      return { ...SILENCE, errors: answer.errors.map(({ message }) => ({ message })) }
    }
    const { decision, diagnostics } = answer.response
    return {
      permits: decision === 'allow' ? diagnostics.reason : [],
      forbids: decision === 'deny' ? diagnostics.reason : [],
      errors: diagnostics.errors.map(({ policyId, error }) => ({ policyId, message: error.message })),
    }
  }
}

/** One thing that must be permitted, and how it is asked: in parts, by policies that together are all of them. */
interface Question {
  readonly asked: Asked
  /** Nobody asked for it by name: only what forbids it counts. */
  readonly through: boolean
  readonly parts: readonly Part[]
}

interface Part {
  readonly resource: Lineage
  readonly speaking?: Speaking
  readonly entities: (slice: Slice) => EntityJson[]
}

/** What policies say: those that permit, those that forbid, and those that failed. */
interface Answer {
  readonly permits: readonly string[]
  readonly forbids: readonly string[]
  readonly errors: readonly { readonly policyId?: string; readonly message: string }[]
}

const SILENCE: Answer = { permits: [], forbids: [], errors: [] }
const NO_COLUMNS: ReadonlySet<string> = new Set()
/** The actions that the schema has on columns. */
const ON_COLUMNS: ReadonlySet<Action> = new Set<Action>(['select', 'insert', 'update'])

function actionEntity(action: Action | AdminAction): EntityJson {
  const group = ACTION_GROUPS[action]
  const parents = group === undefined ? [] : [{ type: 'Action', id: group }]
  return { uid: { type: 'Action', id: action }, attrs: {}, parents }
}

function byId(policies: readonly Policy[]): ReadonlyMap<string, Policy> {
  return new Map(policies.map((policy) => [policy.id, policy]))
}
