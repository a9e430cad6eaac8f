import type { ResultMasks } from '../../access/masking.ts'
import type { Verdict } from '../contract.ts'
import type { CopyFormat } from '../sql/copy-format.ts'

/**
 * A permitted COPY whose rows cannot be taken apart is denied where something in them would have to be masked: better
 * than to close it half way.
 */
export function withoutClosedCopies(verdict: Verdict, copies: readonly (CopyFormat | undefined)[]): Verdict {
  const { masks } = verdict
  if (!verdict.permitted || masks === undefined) return verdict
  const [closed] = copies.flatMap((copy, at) => {
    const one = masks[at]
    return copy?.format === 'closed' && (one === undefined || masksAny(one)) ? [copy.because] : []
  })
  if (closed === undefined) return verdict
  const reason = `the COPY has columns that are masked, and ${closed}, so that they cannot be`
  return {
    permitted: false,
    policies: verdict.policies,
    reason,
    hint: 'COPY as text or CSV in UTF8, or leave the masked columns out',
    code: 'ACCESS_POLICY_DENIED',
    epoch: verdict.epoch,
    reusable: verdict.reusable,
    json: JSON.stringify({ ...JSON.parse(verdict.json), effect: 'deny', reason }),
  }
}

function masksAny({ columns, beyond, detector }: ResultMasks): boolean {
  return columns.some((mask) => mask !== undefined) || beyond !== undefined || detector !== undefined
}
