/** What a policy asks people for before a statement may run: `@approvers`, `@quorum`, `@ttl`. */
export interface ApprovalNeed {
  /** The policies that ask, by `@id`. */
  readonly policies: readonly string[]
  /** Groups of which an approver must be in one. With several policies, each has its own entry, and all must be met. */
  readonly rules: readonly ApprovalRule[]
  /** Why it asks, in the policies' words. */
  readonly reason: string
}

export interface ApprovalRule {
  readonly policy: string
  readonly approvers: readonly string[]
  /** Distinct people. */
  readonly quorum: number
  /** How long the request may wait and, once granted, be used. */
  readonly ttlSeconds: number
}

/** What people have said, as policies see it in `context.approval`. */
export interface GrantedApproval {
  readonly id: string
  /** Ids of the people, distinct. */
  readonly approvedBy: readonly string[]
  /** Groups by which they were entitled to. */
  readonly groups: readonly string[]
  /** Epoch milliseconds. */
  readonly grantedAt: number
}
