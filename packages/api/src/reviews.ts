import { z } from 'zod'
import { PrincipalName } from './principal.ts'

const Count = z.number().int().nonnegative()

export const ReviewVerdict = z.enum(['justified', 'unjustified'])
export type ReviewVerdict = z.infer<typeof ReviewVerdict>

export const ReviewState = z.enum(['open', 'justified', 'unjustified'])
export type ReviewState = z.infer<typeof ReviewState>

/** The alarms of one policy in one session. Texts are as they may be shown: what hides something is written out. */
export const ReviewSummary = z.object({
  id: z.string(),
  state: ReviewState,
  target: z.string(),
  session: z.string(),
  principal: PrincipalName.extend({ actingFor: PrincipalName.optional() }),
  policy: z.string(),
  /** What the policy says about it. */
  alarm: z.string(),
  /** As the client said. */
  purpose: z.string().optional(),
  /** How often the policy let something happen. */
  alarms: Count,
  /** Groups that the policy names. Empty: whoever may view the audit log. */
  reviewers: z.array(z.string()),
  /** The caller may close it. */
  yours: z.boolean(),
  firstAt: z.iso.datetime(),
  lastAt: z.iso.datetime(),
})
export type ReviewSummary = z.infer<typeof ReviewSummary>

export const Review = ReviewSummary.extend({
  via: z.enum(['postgres', 'mcp', 'api']),
  sourceIp: z.string(),
  /** Different ones, as they came. There may have been more than are listed: see `alarms`. */
  statements: z.array(
    z.object({
      /** Left out for a connection. */
      text: z.string().optional(),
      /** The text goes on; the session's recording has all of it. */
      cut: z.boolean(),
      operations: z.array(z.string()),
      count: Count,
    }),
  ),
  /** Oldest first. An alarm that came after a word opened the review again. */
  words: z.array(
    z.object({
      person: z.string(),
      groups: z.array(z.string()),
      verdict: ReviewVerdict,
      note: z.string(),
      alarms: Count,
      surface: z.string(),
      at: z.iso.datetime(),
    }),
  ),
})
export type Review = z.infer<typeof Review>

/** `GET /api/v1/reviews`. The newest alarm first; those that the caller may see. */
export const ReviewQuery = z.strictObject({
  state: ReviewState.optional(),
  target: z.string().max(256).optional(),
  session: z.string().max(64).optional(),
  /** Only open ones that the caller may close. */
  mine: z.union([z.boolean(), z.stringbool()]).optional(),
  limit: z.coerce.number<number | string>().int().min(1).max(500).default(50),
  before: z.iso.datetime({ offset: true }).optional(),
})
export type ReviewQuery = z.input<typeof ReviewQuery>

export const ReviewList = z.object({ reviews: z.array(ReviewSummary) })
export type ReviewList = z.infer<typeof ReviewList>

/** `POST /api/v1/reviews/:id` */
export const CloseReviewRequest = z.strictObject({
  verdict: ReviewVerdict,
  note: z.string().trim().min(1).max(2000),
  /** How many alarms were looked at: with more by now, it is not closed. */
  alarms: z.number().int().min(1),
  surface: z.enum(['api', 'cli', 'console']).default('api'),
})
export type CloseReviewRequest = z.input<typeof CloseReviewRequest>
