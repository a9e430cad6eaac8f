import { SallyportError } from '../../access/errors.ts'
import type { Verdict } from '../contract.ts'
import { errorResponse } from './error-response.ts'
import type { Denied } from './in-flight.ts'
import { encodeError, encodeParse, encodeQuery, FRONTEND } from './messages.ts'

/**
 * What the target is sent in place of a denied message: one that it cannot parse. So the target itself puts the
 * transaction into the failed state, skips to Sync and answers in its turn, all as after any other error, and the
 * gateway need imitate none of it; only the text of the error is replaced on the way back. The marker also tells
 * whoever reads the target's log which decision it was.
 */
export function replaceDenied(
  type: number,
  verdict: Verdict,
  decisionId: string,
  nonce: string,
): { readonly frame: Buffer; readonly denied: Denied } {
  const marker = `sallyport_denied_${nonce}_${decisionId.replaceAll(/[^A-Za-z0-9]/g, '_')}`
  const frame = type === FRONTEND.query ? encodeQuery(marker) : encodeParse(marker, marker)
  return { frame, denied: { marker, response: denialResponse(verdict, decisionId) } }
}

/** The same for a message that names a statement or portal that there is not, so that what was sent behind it fails too. */
export function replaceUnknown(
  sqlstate: string,
  message: string,
  nonce: string,
): { readonly frame: Buffer; readonly denied: Denied } {
  const marker = `sallyport_unknown_${nonce}`
  const response = encodeError({ severity: 'ERROR', sqlstate, message })
  return { frame: encodeParse(marker, marker), denied: { marker, response } }
}

function denialResponse(verdict: Verdict, decisionId: string): Buffer {
  const by = verdict.policies.length === 0 ? 'no policy permits it' : `policy ${verdict.policies.join(', ')}`
  const error = new SallyportError(
    verdict.code ?? 'ACCESS_POLICY_DENIED',
    `denied by policy: ${verdict.reason ?? 'not permitted'}`,
    verdict.hint === undefined ? {} : { hint: verdict.hint },
  )
  return errorResponse(error, 'ERROR', `${by}, decision ${decisionId}`)
}
