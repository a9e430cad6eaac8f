import { CloseReviewRequest, type Review as ReviewAnswer, type ReviewList, ReviewQuery } from '@sallyport/api'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { SallyportError } from '../../access/errors.ts'
import type { Review } from '../../approvals/ports.ts'
import { whyNotReview } from '../../approvals/reviews/may-review.ts'
import { reviewAnswer, reviewSummary } from '../answers/review-answer.ts'
import { isOwn, mayAdminister } from '../authorize.ts'
import type { Caller } from '../caller.ts'
import { readInput } from '../read-input.ts'
import type { ControlServices } from '../services.ts'
import { withPerson } from '../with-person.ts'

const Params = z.object({ id: z.string() })
/** Rows looked through for those that the caller may see, a page at a time. */
const PAGE = 200
const MAX_PAGES = 25
const WHAT = { name: 'reviews', hint: 'log in with a token of your own' }

/** Where people look at what was done under an alarm. Only people: no agent, no service, no ticket gets an answer here. */
export function reviewRoutes(app: FastifyInstance, services: ControlServices): void {
  const { reviews } = services

  app.get(
    '/api/v1/reviews',
    withPerson(services, WHAT, async (caller, request): Promise<ReviewList> => {
      const { state, target, session, mine, limit, before } = readInput(ReviewQuery, request.query)
      const isAuditor = mayAdminister(services, caller, 'viewAudit')
      const found: ReviewList['reviews'] = []
      let last: Review | undefined
      for (let page = 0; page < MAX_PAGES && found.length < limit; page++) {
        const rows = await reviews.list({
          limit: PAGE,
          ...(state === undefined ? {} : { states: [state] }),
          ...(mine === true ? { states: ['open'] } : {}),
          ...(target === undefined ? {} : { target }),
          ...(session === undefined ? {} : { sessionId: session }),
          ...(before === undefined ? {} : { before: new Date(before) }),
          ...(last === undefined ? {} : { below: last }),
        })
        const shown = rows
          .filter((row) => maySee(row, caller, isAuditor))
          .map((row) => reviewSummary(row, caller.principal, isAuditor))
        found.push(...(mine === true ? shown.filter(({ yours }) => yours) : shown))
        last = rows.at(-1)
        if (rows.length < PAGE) break
      }
      return { reviews: found.slice(0, limit) }
    }),
  )

  app.get(
    '/api/v1/reviews/:id',
    withPerson(services, WHAT, async (caller, request): Promise<ReviewAnswer> => {
      const isAuditor = mayAdminister(services, caller, 'viewAudit')
      return reviewAnswer(await seen(caller, isAuditor, request.params), caller.principal, isAuditor)
    }),
  )

  app.post(
    '/api/v1/reviews/:id',
    withPerson(services, WHAT, async (caller, request): Promise<ReviewAnswer> => {
      const word = readInput(CloseReviewRequest, request.body)
      const isAuditor = mayAdminister(services, caller, 'viewAudit')
      const { id } = await seen(caller, isAuditor, request.params)
      return reviewAnswer(
        await reviews.close(id, caller.principal, isAuditor, word),
        caller.principal,
        isAuditor,
      )
    }),
  )

  async function seen(caller: Caller, isAuditor: boolean, params: unknown): Promise<Review> {
    const { id } = readInput(Params, params)
    const review = await reviews.get(id)
    if (review !== undefined && maySee(review, caller, isAuditor)) return review
    throw new SallyportError('REVIEW_UNKNOWN', `there is no review ${id}, or none that you may see`, {
      hint: '`sallyport reviews list` shows those that you may',
    })
  }
}

/** What one did oneself, or one's agents; what one may review; with leave to view the audit log all. */
function maySee(review: Review, { principal }: Caller, isAuditor: boolean): boolean {
  return (
    isAuditor ||
    isOwn(principal, review.principal) ||
    whyNotReview(review, principal, isAuditor) === undefined
  )
}
