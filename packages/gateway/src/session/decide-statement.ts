import type { ApprovalNeed, GrantedApproval } from '../access/approval.ts'
import type {
  AccessContext,
  Decision,
  Operation,
  Principal,
  StatementReading,
  Target,
} from '../access/model.ts'
import { mergeNeeds } from '../policy/approval-rule.ts'
import type { DecisionPoint } from '../policy/decision-point.ts'
import { decideMasking } from '../policy/masking-decision.ts'
import type { MaskPlan } from '../policy/masking-decision.ts'

const CONNECT: Operation = { action: 'connect', resource: { type: 'Target' } }

/** What was decided on one operation of a statement. */
export interface DecidedOperation {
  readonly operation: Operation
  readonly decision: Decision
}

/** What policy says of a whole statement: every operation must be permitted, and what is hidden must stay hidden. */
export type StatementDecision = { readonly operations: readonly DecidedOperation[] } & (
  | {
      readonly effect: 'permit'
      readonly policies: readonly string[]
      /** Of the policies, those that raise an alarm. */
      readonly alarms: readonly string[]
      /** For each statement of the text; left out: nothing has to be hidden. */
      readonly masks?: readonly MaskPlan[]
      /** Comparisons of hidden columns with what the client sent. */
      readonly guesses: number
    }
  | {
      readonly effect: 'deny'
      readonly policies: readonly string[]
      readonly reason: string
      readonly hint?: string
      readonly code: 'ACCESS_POLICY_DENIED' | 'ACCESS_POLICY_ERROR' | 'ACCESS_STATEMENT_OPAQUE'
      /** Nothing else is missing. */
      readonly approval?: ApprovalNeed
    }
)

type Denied = Extract<StatementDecision, { effect: 'deny' }>

/**
 * Asks policy about every operation of a statement, and then what of the answer has to be hidden. Approvals that are missing
 * become one need, because people are asked once. The guard decides by it, and so do simulations and tests of policies.
 * @param every also what comes after a denial: for people who want to see all of it
 */
export function decideStatement(
  point: DecisionPoint,
  request: {
    readonly principal: Principal
    readonly target: Target
    readonly reading: StatementReading
    readonly context: AccessContext
    /** What people said to the connection: it counts where a statement does nothing but need one. */
    readonly connection?: GrantedApproval | undefined
  },
  every = false,
): StatementDecision {
  const { principal, target, reading, context } = request
  const { facts } = reading
  if (facts.reading === 'opaque') return opaque(reading)
  const operations: DecidedOperation[] = []
  const policies = new Set<string>()
  const needs: ApprovalNeed[] = []
  const alarms = new Set<string>()
  let denied: Extract<Decision, { effect: 'deny' }> | undefined
  let waits: Extract<Decision, { effect: 'deny' }> | undefined
  for (const operation of reading.operations.length === 0 ? [CONNECT] : reading.operations) {
    const around =
      operation === CONNECT && request.connection !== undefined
        ? { ...context, approval: request.connection }
        : context
    const decision = point.decide({ principal, target, operation, facts, context: around })
    operations.push({ operation, decision })
    if (decision.effect === 'permit') {
      for (const id of decision.policies) policies.add(id)
      for (const id of decision.alarms ?? []) alarms.add(id)
    } else if (decision.approval === undefined) {
      denied ??= decision
      if (!every) return refusal(operations, decision)
    } else {
      waits ??= decision
      needs.push(decision.approval)
    }
  }
  if (denied !== undefined) return refusal(operations, denied)
  const masking = decideMasking(point, { principal, target, reading, context })
  if (masking.effect === 'deny') {
    if (masking.approval === undefined) return refusal(operations, masking)
    waits ??= masking
    needs.push(masking.approval)
  }
  if (waits !== undefined) {
    const approval = mergeNeeds(needs)
    return refusal(operations, { ...waits, policies: approval.policies, approval })
  }
  const { plans, guesses } = masking.effect === 'permit' ? masking : { plans: undefined, guesses: 0 }
  if (masking.effect === 'permit') {
    for (const id of masking.policies) policies.add(id)
    for (const { policy } of point.alarmsOf(masking.policies)) alarms.add(policy)
  }
  return {
    effect: 'permit',
    operations,
    policies: [...policies].toSorted(),
    alarms: [...alarms].toSorted(),
    guesses,
    ...(plans === undefined ? {} : { masks: plans }),
  }
}

function refusal(
  operations: readonly DecidedOperation[],
  { policies, reason, hint, code, approval }: Extract<Decision, { effect: 'deny' }>,
): Denied {
  return {
    effect: 'deny',
    operations,
    policies,
    reason,
    ...(hint === undefined ? {} : { hint }),
    code: code ?? 'ACCESS_POLICY_DENIED',
    ...(approval === undefined ? {} : { approval }),
  }
}

function opaque(reading: StatementReading): Denied {
  return {
    effect: 'deny',
    operations: [],
    policies: [],
    reason: reading.opaqueBecause ?? 'the statement could not be read',
    hint: 'what cannot be read could do anything, so it is not run; write it in a plainer way',
    code: 'ACCESS_STATEMENT_OPAQUE',
  }
}
