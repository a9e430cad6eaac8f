import type { Review as ReviewAnswer, ReviewSummary } from '@sallyport/api'
import type { Principal } from '../../access/model.ts'
import type { Review } from '../../approvals/ports.ts'
import { whyNotReview } from '../../approvals/reviews/may-review.ts'
import { visibleLine, visibleText } from '../../approvals/visible-text.ts'
import { principalName } from './principal-answer.ts'

/** A review as `caller` sees it in a list. @param isAuditor the caller may view the audit log */
export function reviewSummary(review: Review, caller: Principal, isAuditor: boolean): ReviewSummary {
  const { principal, rule, purpose } = review
  const { actingFor } = principal
  return {
    id: review.id,
    state: review.state,
    target: review.target,
    session: review.sessionId,
    principal: {
      ...principalName(principal),
      ...(actingFor === undefined ? {} : { actingFor: principalName(actingFor) }),
    },
    policy: rule.policy,
    alarm: rule.says,
    ...(purpose === undefined ? {} : { purpose: visibleLine(purpose) }),
    alarms: review.alarms,
    reviewers: [...rule.reviewers],
    yours: review.state === 'open' && whyNotReview(review, caller, isAuditor) === undefined,
    firstAt: review.firstAt.toISOString(),
    lastAt: review.lastAt.toISOString(),
  }
}

/** All of it. */
export function reviewAnswer(review: Review, caller: Principal, isAuditor: boolean): ReviewAnswer {
  return {
    ...reviewSummary(review, caller, isAuditor),
    via: review.via,
    sourceIp: review.sourceIp,
    statements: review.statements.map(({ text, cut, operations, count }) => ({
      ...(text === undefined ? {} : { text: visibleText(text) }),
      cut,
      operations: operations.map(visibleLine),
      count,
    })),
    words: review.words.map(({ person, groups, note, ...rest }) => ({
      ...rest,
      person: person.id,
      groups: [...groups],
      note: visibleText(note),
    })),
  }
}
