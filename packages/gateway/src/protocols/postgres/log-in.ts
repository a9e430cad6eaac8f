import type { Duplex } from 'node:stream'
import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'
import type { Credential } from '../contract.ts'
import { ByteSource } from '../wire/byte-source.ts'
import { MAX_HANDSHAKE, readHandshakeMessage, rememberParameter } from './handshake-message.ts'
import { BACKEND, decodeErrorFields, encodePassword, encodeSaslInitialResponse } from './messages.ts'
import { ScramClient } from './scram-client.ts'
import { unreachable } from './target-unreachable.ts'

/** What a target says of a session that it begins. */
export interface LoggedIn {
  /** What it reported (ParameterStatus), in order. */
  readonly parameters: Map<string, string>
  /** What a CancelRequest has to name. */
  readonly backendKey: { readonly pid: number; readonly secret: Buffer } | undefined
}

/**
 * Logs in on a connection on which the start-up message was sent, by SCRAM-SHA-256 only ("Start-up", "SASL Authentication").
 * @throws SallyportError TARGET_UNREACHABLE
 */
export async function logIn(
  stream: Duplex,
  credential: Credential,
  target: Target,
  signal: AbortSignal,
): Promise<LoggedIn> {
  const source = new ByteSource(stream, signal)
  const scram = new ScramClient(credential.secret)
  const parameters = new Map<string, string>()
  let backendKey: LoggedIn['backendKey']
  for (let left = MAX_HANDSHAKE; ; ) {
    const message = await readHandshakeMessage(source, left)
    if (message === undefined) throw unreachable(target, 'it closed the connection during log-in')
    left -= 5 + message.body.length
    switch (message.type) {
      case BACKEND.authentication:
        authenticate(stream, scram, message.body, target)
        break
      case BACKEND.parameterStatus:
        rememberParameter(parameters, message)
        break
      case BACKEND.backendKeyData:
        if (message.body.length < 8) throw unreachable(target, 'it does not speak the PostgreSQL protocol')
        backendKey = { pid: message.body.readInt32BE(0), secret: message.body.subarray(4) }
        break
      case BACKEND.errorResponse: {
        const fields = decodeErrorFields(message.body, 0, message.body.length)
        throw unreachable(target, `log-in failed: ${fields.get('M') ?? 'no reason given'}`)
      }
      case BACKEND.readyForQuery:
        // Also one that leaves AuthenticationOk out.
        if (!scram.verified) throw unproved(target)
        return { parameters, backendKey }
      case BACKEND.noticeResponse:
      case BACKEND.negotiateProtocolVersion:
        break
      default:
        throw unreachable(target, 'it does not speak the PostgreSQL protocol')
    }
  }
}

/** AuthenticationOk, SASL, SASLContinue and SASLFinal ("SASL Authentication"). */
function authenticate(stream: Duplex, scram: ScramClient, body: Buffer, target: Target): void {
  const kind = body.length >= 4 ? body.readInt32BE(0) : -1
  if (kind === 0) {
    // Without a verified proof anybody can log in there under any role's name, and this may not be the target at all.
    if (scram.verified) return
    throw unproved(target)
  }
  if (kind === 10) {
    if (!body.toString('latin1', 4).split('\0').includes('SCRAM-SHA-256')) {
      throw unreachable(target, 'it does not offer SCRAM-SHA-256')
    }
    stream.write(encodeSaslInitialResponse('SCRAM-SHA-256', scram.first()))
  } else if (kind === 11) {
    stream.write(encodePassword(scram.final(body.toString('utf8', 4))))
  } else if (kind === 12) {
    scram.verify(body.toString('utf8', 4))
  } else {
    throw unreachable(
      target,
      'it asks for the password in a form that would give it away',
      'use scram-sha-256 in its pg_hba.conf for sallyport roles',
    )
  }
}

function unproved(target: Target): SallyportError {
  return unreachable(target, 'it lets roles in without a password', 'use scram-sha-256 in its pg_hba.conf')
}
