import type { Approval, ApprovalFilter, ApprovalStore, SimilarRequests } from './ports.ts'

/** The port's contract in memory, for tests of what is above it. */
export class MemoryApprovalStore implements ApprovalStore {
  readonly #rows = new Map<string, Approval>()

  async put(approval: Approval): Promise<Approval> {
    const same = [...this.#rows.values()].find(
      ({ durable, state, digest }) => durable && state === 'pending' && digest === approval.digest,
    )
    if (approval.durable && same !== undefined) return same
    this.#rows.set(approval.id, approval)
    return approval
  }

  async get(id: string): Promise<Approval | undefined> {
    return this.#rows.get(id)
  }

  async change(id: string, step: (approval: Approval) => Approval): Promise<Approval | undefined> {
    const approval = this.#rows.get(id)
    if (approval === undefined) return undefined
    const next = step(approval)
    this.#rows.set(id, next)
    return next
  }

  async list({ states, target, before, below, limit }: ApprovalFilter): Promise<readonly Approval[]> {
    const key = ({ createdAt, id }: Pick<Approval, 'createdAt' | 'id'>): string =>
      createdAt.toISOString() + id
    return [...this.#rows.values()]
      .filter((row) => states === undefined || states.includes(row.state))
      .filter((row) => target === undefined || row.target === target)
      .filter((row) => before === undefined || row.createdAt < before)
      .filter((row) => below === undefined || key(row) < key(below))
      .toSorted((a, b) => (key(a) < key(b) ? 1 : -1))
      .slice(0, limit)
  }

  async open(): Promise<readonly Approval[]> {
    return await this.list({ states: ['pending', 'granted'], limit: Number.POSITIVE_INFINITY })
  }

  async similar(approval: Approval): Promise<SimilarRequests> {
    const same = [...this.#rows.values()].filter(
      ({ id, target, statement, state }) =>
        id !== approval.id &&
        state !== 'pending' &&
        target === approval.target &&
        statement?.shape === approval.statement?.shape,
    )
    const of = (state: Approval['state']): number => same.filter((row) => row.state === state).length
    return {
      total: same.length,
      granted: same.filter((row) => row.grantedAt !== undefined).length,
      denied: of('denied'),
      expired: of('expired'),
      last: undefined,
    }
  }
}
