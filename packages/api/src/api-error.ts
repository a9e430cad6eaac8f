import type { Problem } from './problem.ts'

/** A request that the gateway refused or could not answer. */
export class ApiError extends Error {
  /** What the gateway said, or, when it never got to speak, our own account of it. */
  readonly problem: Problem

  constructor(problem: Problem, cause?: unknown) {
    super(problem.detail, cause === undefined ? undefined : { cause })
    this.name = 'ApiError'
    this.problem = problem
  }

  get code(): string {
    return this.problem.code
  }

  get status(): number {
    return this.problem.status
  }
}
