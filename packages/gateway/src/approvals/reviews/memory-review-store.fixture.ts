import type { Review, ReviewFilter, ReviewStore } from '../ports.ts'

/** Reviews in memory: one step at a time, because nothing is waited for within one. */
export class MemoryReviewStore implements ReviewStore {
  readonly rows = new Map<string, Review>()

  async get(id: string): Promise<Review | undefined> {
    return this.rows.get(id)
  }

  async list({ states, target, sessionId, below, limit }: ReviewFilter): Promise<readonly Review[]> {
    return [...this.rows.values()]
      .filter((row) => states === undefined || states.includes(row.state))
      .filter((row) => target === undefined || row.target === target)
      .filter((row) => sessionId === undefined || row.sessionId === sessionId)
      .filter((row) => below === undefined || row.lastAt < below.lastAt)
      .toSorted((a, b) => b.lastAt.getTime() - a.lastAt.getTime())
      .slice(0, limit)
  }

  async change(id: string, step: (review: Review) => Review): Promise<Review | undefined> {
    const row = this.rows.get(id)
    if (row === undefined) return undefined
    const next = step(row)
    this.rows.set(id, next)
    return next
  }

  async open(): Promise<number> {
    return [...this.rows.values()].filter(({ state }) => state === 'open').length
  }
}
