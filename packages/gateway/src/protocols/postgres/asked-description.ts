import type { FrontendBatch } from './frontend-batch.ts'
import { type Described, ENTRY } from './in-flight.ts'
import type { Portal, Prepared } from './named-statements.ts'
import { usesNames } from './statement-decision.ts'

/** A Describe is sent. What it answers is what rows are held against. */
export function describes(batch: FrontendBatch, described: Described): void {
  const { prepared, portal } = described
  if (prepared !== undefined) prepared.result.isAsked = true
  if (portal !== undefined) portal.result.isAsked = true
  batch.sent(ENTRY.describe, -1, undefined, undefined, described)
}

/**
 * What a Describe of it says more of. A portal's columns are those of its statement, unless what that runs by name can be
 * another each time. Undefined: a name that is not known here.
 */
export function describedBy(subject: Prepared | Portal | undefined, isOurs: boolean): Described {
  if (subject === undefined) return { kind: 'describe', prepared: undefined, portal: undefined, isOurs }
  const portal = 'kind' in subject ? subject : undefined
  const prepared = 'kind' in subject ? subject.prepared : subject
  return { kind: 'describe', prepared: usesNames(prepared.known) ? undefined : prepared, portal, isOurs }
}

/** Drivers describe a statement once and run it many times. */
export function isDescribed({ result, formats, prepared }: Portal): boolean {
  return result.isAsked || (prepared.result.isAsked && formats !== undefined)
}
