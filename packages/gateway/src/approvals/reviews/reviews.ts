import { SallyportError } from '../../access/errors.ts'
import type { Principal } from '../../access/model.ts'
import { personOf } from '../may-decide.ts'
import type { Review, ReviewFilter, ReviewStore, ReviewVerdict, Surface } from '../ports.ts'
import { reviewingGroups, whyNotReview } from './may-review.ts'

/** What happened to a review, for the gateway's audit log. */
export type ReviewAudit = (event: {
  readonly type: 'review.close' | 'access.denied'
  readonly principal: string
  readonly target: string
  readonly sessionId: string
  readonly detail: Readonly<Record<string, string | number | boolean | readonly string[]>>
}) => void

/** A reviewer's word. */
export interface ReviewWord {
  readonly verdict: ReviewVerdict
  /** What they looked at, and what they think of it. */
  readonly note: string
  /** How many alarms they have seen. With more by now, the word does not count: it would be about what nobody looked at. */
  readonly alarms: number
  readonly surface: Surface
}

/**
 * What was done under a policy with `@alarm`, and what people think of it afterwards. Entries are made by the store, of the
 * alarms in the journal; here they are only closed.
 */
export class Reviews {
  readonly #options: {
    readonly store: ReviewStore
    readonly audit: ReviewAudit
    readonly now: () => number
    readonly onClosed: (review: Review) => void
  }

  constructor(options: {
    readonly store: ReviewStore
    readonly audit: ReviewAudit
    /** Epoch milliseconds. */
    readonly now: () => number
    /** Told of each that was closed, as it is then. */
    readonly onClosed: (review: Review) => void
  }) {
    this.#options = options
  }

  get(id: string): Promise<Review | undefined> {
    return this.#options.store.get(id)
  }

  list(filter: ReviewFilter): Promise<readonly Review[]> {
    return this.#options.store.list(filter)
  }

  /** How many are open. */
  open(): Promise<number> {
    return this.#options.store.open()
  }

  /**
   * Closes a review. An alarm that comes later opens it again, and this word stays in it.
   * @param isAuditor policy permits `by` to view the audit log
   * @throws SallyportError REVIEW_UNKNOWN, REVIEW_NOT_YOURS, REVIEW_CLOSED, REVIEW_CHANGED, REQUEST_INVALID,
   *   STORE_UNAVAILABLE, RECORDING_FAILED: nothing was closed then
   */
  async close(id: string, by: Principal, isAuditor: boolean, word: ReviewWord): Promise<Review> {
    const note = word.note.trim()
    if (note === '') {
      throw new SallyportError('REQUEST_INVALID', 'a review needs a note', { hint: 'say what you looked at' })
    }
    const closed = await this.#options.store.change(id, (review) => {
      const why = whyNotReview(review, by, isAuditor)
      if (why !== undefined) {
        this.#audited('access.denied', review, by, { action: 'close a review', reason: why })
        throw new SallyportError('REVIEW_NOT_YOURS', `you cannot review ${id}: ${why}`)
      }
      if (review.state !== 'open') {
        throw new SallyportError('REVIEW_CLOSED', `${id} is ${review.state} already`, {
          hint: `\`sallyport reviews show ${id}\` says by whom`,
        })
      }
      if (review.alarms !== word.alarms) {
        const message = `${id} has ${review.alarms} alarms by now, and you have looked at ${word.alarms}`
        throw new SallyportError('REVIEW_CHANGED', message, { hint: 'look at it again, then close it' })
      }
      const { verdict, surface } = word
      const groups = reviewingGroups(review, by)
      // Before it is kept: what cannot be accounted for is not closed.
      this.#audited('review.close', review, by, {
        verdict,
        note,
        alarms: review.alarms,
        surface,
        issuer: by.issuer,
        subject: by.subject,
        groups,
      })
      const said = { person: personOf(by), groups, verdict, note, alarms: review.alarms, surface }
      const at = new Date(this.#options.now())
      return { ...review, state: verdict, words: [...review.words, { ...said, at: at.toISOString() }] }
    })
    if (closed === undefined) {
      throw new SallyportError('REVIEW_UNKNOWN', `there is no review ${id}`, {
        hint: '`sallyport reviews list` shows those that you may see',
      })
    }
    this.#options.onClosed(closed)
    return closed
  }

  #audited(
    type: 'review.close' | 'access.denied',
    { id, target, sessionId, rule }: Review,
    by: Principal,
    detail: Parameters<ReviewAudit>[0]['detail'],
  ): void {
    this.#options.audit({
      type,
      principal: by.id,
      target,
      sessionId,
      detail: { review: id, policy: rule.policy, ...detail },
    })
  }
}
