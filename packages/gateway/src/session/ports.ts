import type { ErrorCode } from '../access/errors.ts'
import type { Target } from '../access/model.ts'

/**
 * How many decisions there were on one target. Plain integers, because one is added to on every statement: whoever shows
 * them reads them when it is asked to.
 */
export interface DecisionTally {
  permit: number
  deny: number
  /** People have to be asked first. */
  approval: number
}

/** What sessions have counted. */
export interface SessionMetrics {
  /** A client was admitted; disposed of when its session is over. */
  opened(target: Target): Disposable
  /** A connection did not become a session. */
  refused(code: ErrorCode): void
  /** The same one for every session on a target. */
  decisions(target: Target): DecisionTally
  /** A policy with `@alarm` permitted something. */
  alarmed(target: Target): void
  /** Values of a data class were masked. */
  masked(dataClass: string, values: number): void
  /** Policy was asked about one connection or statement, and took this long. */
  decided(seconds: number): void
}
