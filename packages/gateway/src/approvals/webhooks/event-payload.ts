import type { ApprovalEvent } from '../feed.ts'
import type { Review } from '../ports.ts'
import { visibleText } from '../visible-text.ts'

/** What is sent, as Standard Webhooks has it: `type`, `timestamp`, `data`. */
export interface WebhookEvent {
  readonly type: string
  readonly at: Date
  readonly data: Readonly<Record<string, unknown>>
  /** Only for those endpoints that asked for statements. */
  readonly statement?: unknown
}

/** Events that are worth telling others; what else happens to a request is seen in the API. */
const TOLD: ReadonlySet<string> = new Set(['requested', 'granted', 'denied', 'expired', 'withdrawn', 'used'])

/**
 * The event to send; undefined for what is not sent. A reader learns from it that something happened, and where to look:
 * nothing can be decided with it.
 * @param publicUrl of the gateway
 */
export function approvalPayload(
  { type, approval }: ApprovalEvent,
  publicUrl: string,
  at: Date,
): WebhookEvent | undefined {
  if (!TOLD.has(type)) return undefined
  const { id, kind, state, target, database, principal, need, reported, statement, decisions } = approval
  const { actingFor } = principal
  return {
    type: `approval.${type}`,
    at,
    data: {
      id,
      kind,
      state,
      target,
      database,
      principal: {
        kind: principal.kind,
        id: principal.id,
        ...(actingFor === undefined ? {} : { actingFor: { kind: actingFor.kind, id: actingFor.id } }),
      },
      operations: statement?.operations ?? [],
      reason: need.reason,
      policies: need.policies,
      approvers: [...new Set(need.rules.flatMap((rule) => rule.approvers))].toSorted(),
      reported: { purpose: reported.purpose },
      decisions: decisions.map(({ person, verdict, reason, surface, at: when }) => ({
        person: person.id,
        verdict,
        reason,
        surface,
        at: when.toISOString(),
      })),
      createdAt: approval.createdAt.toISOString(),
      expiresAt: approval.expiresAt.toISOString(),
      ...(approval.closedBecause === undefined ? {} : { closedBecause: approval.closedBecause }),
      uses: approval.uses,
      digest: approval.digest,
      url: `${publicUrl}/api/v1/approvals/${id}`,
    },
    ...(statement === undefined
      ? {}
      : {
          statement: {
            text: statement.text,
            visible: visibleText(statement.text),
            parameters: statement.parameters,
            searchPath: statement.searchPath,
          },
        }),
  }
}

/** What people think of an alarm, now that they have looked at it. */
export function reviewPayload(review: Review, publicUrl: string, at: Date): WebhookEvent {
  const { id, state, target, sessionId, rule, principal, alarms, purpose } = review
  const word = review.words.at(-1)
  return {
    type: 'alarm.reviewed',
    at,
    data: {
      id,
      verdict: state,
      target,
      session: sessionId,
      policy: rule.policy,
      principal: principal.id,
      ...(principal.actingFor === undefined ? {} : { actingFor: principal.actingFor.id }),
      ...(purpose === undefined ? {} : { purpose }),
      alarms,
      ...(word === undefined ? {} : { reviewedBy: word.person.id, note: word.note }),
      url: `${publicUrl}/api/v1/reviews/${id}`,
    },
  }
}
