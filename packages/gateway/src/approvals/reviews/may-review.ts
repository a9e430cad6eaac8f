import type { Principal } from '../../access/model.ts'
import { isRequester } from '../may-decide.ts'
import type { Review } from '../ports.ts'

/**
 * Why this principal may not review it; undefined when it may: a person in a group that the policy names, or, where it names
 * none, one who may view the audit log. Never whoever did it, whatever they may do otherwise.
 * @param isAuditor policy permits them `viewAudit`
 */
export function whyNotReview(
  review: Pick<Review, 'principal' | 'rule'>,
  principal: Principal,
  isAuditor: boolean,
): string | undefined {
  if (principal.kind !== 'user' || principal.actingFor !== undefined) {
    return 'only people review, with a token of their own: no agent, no service and nobody in their name'
  }
  if (isRequester(review.principal, principal)) {
    return 'nobody reviews what they did themselves, or what an agent did for them'
  }
  const { reviewers } = review.rule
  if (reviewers.length === 0) {
    return isAuditor ? undefined : 'the policy names no reviewers, so that viewAudit is needed'
  }
  if (reviewingGroups(review, principal).length > 0) return undefined
  return `only members of ${reviewers.join(', ')} review it`
}

/** The groups by which this principal is entitled to review. */
export function reviewingGroups(
  { rule }: Pick<Review, 'rule'>,
  { groups }: Pick<Principal, 'groups'>,
): readonly string[] {
  return groups.filter((group) => rule.reviewers.includes(group)).toSorted()
}
