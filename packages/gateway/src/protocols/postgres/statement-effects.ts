import type { Verdict } from '../contract.ts'
import type { FrontendState } from './frontend-state.ts'
import { type Named, undescribed } from './named-statements.ts'
import type { KnownStatement } from './statement-cache.ts'

/**
 * A statement is about to be sent that the target runs: what it may change of the session's names is taken into account
 * from now on.
 * @param number of the recorded statement
 * @returns the name that SQL's own PREPARE or DECLARE makes, when it has run
 */
export function namedByRunning(
  { names, bareNames }: Pick<FrontendState, 'names' | 'bareNames'>,
  known: KnownStatement,
  number: number,
  text: string,
  verdict: Verdict,
): Named | undefined {
  const { closes, changes } = known.session
  if (changes !== undefined) bareNames.sent(changes)
  if (closes.length > 0) names.closing(closes)
  const named = madeBy(known, number, text, verdict)
  if (named !== undefined) names.propose(named)
  return named
}

function madeBy(known: KnownStatement, number: number, text: string, verdict: Verdict): Named | undefined {
  const { prepares, declares } = known.session
  if (prepares !== undefined) {
    const value = { number, text, known, verdict, result: undescribed() }
    return { kind: 'statement', name: prepares, value }
  }
  if (declares === undefined) return undefined
  return { kind: 'cursor', name: declares.name, value: { known, isHeld: declares.isHeld } }
}
