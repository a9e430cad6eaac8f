import { SallyportError } from '../../access/errors.ts'
import type { Verdict } from '../contract.ts'
import { errorResponse, sqlstateOf } from './error-response.ts'
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
  const marker = markerOf(decisionId, nonce)
  const frame = frameOf(type, marker)
  const error = denialOf(verdict)
  const response = errorResponse(error, 'ERROR', whoDecided(verdict, decisionId))
  return { frame, denied: { marker, response, sqlstate: sqlstateOf(error.code) } }
}

/** The same for a statement that its client cancelled while it waited: what PostgreSQL says on a CancelRequest. */
export function replaceCancelled(
  type: number,
  decisionId: string,
  nonce: string,
): { readonly frame: Buffer; readonly denied: Denied } {
  const marker = markerOf(decisionId, nonce)
  const sqlstate = '57014'
  const response = encodeError({
    severity: 'ERROR',
    sqlstate,
    message: 'canceling statement due to user request',
    detail: 'It was waiting for approval; the request was withdrawn.',
  })
  return { frame: frameOf(type, marker), denied: { marker, response, sqlstate } }
}

/** The same for a message that names a statement or portal that there is not, so that what was sent behind it fails too. */
export function replaceUnknown(
  type: number,
  sqlstate: string,
  message: string,
  nonce: string,
): { readonly frame: Buffer; readonly denied: Denied } {
  const marker = `sallyport_unknown_${nonce}`
  const response = encodeError({ severity: 'ERROR', sqlstate, message })
  return { frame: frameOf(type, marker), denied: { marker, response, sqlstate } }
}

function markerOf(decisionId: string, nonce: string): string {
  return `sallyport_denied_${nonce}_${decisionId.replaceAll(/[^A-Za-z0-9]/g, '_')}`
}

function frameOf(type: number, marker: string): Buffer {
  return type === FRONTEND.query ? encodeQuery(marker) : encodeParse(marker, marker)
}

function whoDecided({ policies }: Verdict, decisionId: string): string {
  const by = policies.length === 0 ? 'no policy permits it' : `policy ${policies.join(', ')}`
  return `${by}, decision ${decisionId}`
}

function denialOf({
  code = 'ACCESS_POLICY_DENIED',
  reason = 'not permitted',
  hint,
}: Verdict): SallyportError {
  const message = code.startsWith('ACCESS_') ? `denied by policy: ${reason}` : reason
  return new SallyportError(code, message, hint === undefined ? {} : { hint })
}
