import type { ApprovalNeed } from '../access/approval.ts'
import type { FunctionCall, StatementFacts } from '../access/model.ts'
import type { Policy } from './read-policies.ts'

/** A policy as people are shown it. */
export type ShownPolicy = Pick<Policy, 'id' | 'effect' | 'path' | 'line' | 'text'>

/** What would be decided, and all that it would be decided by. */
export interface Simulation {
  readonly decision: 'permit' | 'deny' | 'approval'
  readonly policies: readonly ShownPolicy[]
  readonly reason?: string
  readonly hint?: string
  readonly code?: string
  readonly alarms: readonly string[]
  readonly approval?: ApprovalNeed
  readonly operations: readonly SimulatedOperation[]
  readonly functions: readonly FunctionCall[]
  readonly facts: StatementFacts
  /** Where something has to be hidden: for each statement, each column of its result. */
  readonly masks: readonly SimulatedMasks[]
  readonly guesses: number
}

export interface SimulatedOperation {
  readonly action: string
  /** `public.orders`, a schema, or nothing for the database or target itself. */
  readonly on: string
  readonly columns?: readonly string[]
  readonly through?: string
  readonly decision: 'permit' | 'deny' | 'approval'
  readonly policies: readonly string[]
  readonly reason?: string
}

export interface SimulatedMasks {
  /** `clear`, or a class and how it is masked; `hidden`: how many columns there are is not known. */
  readonly columns: readonly string[] | 'hidden'
  /** Errors and notices are replaced. */
  readonly hidesTexts: boolean
}
