import { isIP, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type SecureContext, TLSSocket } from 'node:tls'
import { AuthenticationFailed, SallyportError } from '../../access/errors.ts'
import type { Permit } from '../../access/permit.ts'
import { Secret } from '../../access/secret.ts'
import { ByteSource } from '../wire/byte-source.ts'
import type { Downstream, Greeting, Upstream } from '../contract.ts'
import type { CancelKeys } from './cancel-keys.ts'
import { errorResponse } from './error-response.ts'
import { readHandshakeMessage } from './handshake-message.ts'
import {
  AUTHENTICATION_CLEARTEXT_PASSWORD,
  AUTHENTICATION_OK,
  decodeStartup,
  encodeBackendKeyData,
  encodeNegotiateProtocolVersion,
  encodeParameterStatus,
  encodeReadyForQuery,
  FRONTEND,
  MAX_PASSWORD_MESSAGE,
  MAX_STARTUP_PACKET,
  type StartupPacket,
} from './messages.ts'
import { readStartupParameters, type StartupRequest } from './startup-parameters.ts'
import { PostgresUpstream } from './upstream.ts'

/** The client's side of an admitted session. */
export class PostgresDownstream implements Downstream {
  readonly protocol = 'postgres'
  readonly stream: Duplex
  /** The session's key for CancelRequest is forgotten when this is called. */
  readonly release: () => void
  /** Cancels a statement that has not been sent yet because people are asked about it. False when there is none. */
  cancelsWaiting: () => boolean = () => false

  constructor(stream: Duplex, release: () => void) {
    this.stream = stream
    this.release = release
  }
}

/** Speaks as a PostgreSQL server until it is known who asks for what ("Message Flow", "Start-up"). */
export class PostgresServer {
  readonly #tls: SecureContext
  readonly #cancelKeys: CancelKeys

  constructor(tls: SecureContext, cancelKeys: CancelKeys) {
    this.#tls = tls
    this.#cancelKeys = cancelKeys
  }

  /**
   * @returns undefined for a CancelRequest, and for a client that left without asking for anything
   * @throws SallyportError after the client has been told, when what it sent cannot be served
   */
  async greet(client: Duplex, signal: AbortSignal): Promise<Greeting | undefined> {
    let stream = client
    try {
      for (let requests = 0; requests < 3; requests++) {
        const packet = await readStartupPacket(stream, signal)
        if (packet === undefined) return undefined
        if (packet.kind === 'cancel') {
          // Clients take the end of this connection for the sign that the request cannot hit a later statement any more.
          await this.#cancelKeys.cancel(packet)
          stream.end()
          return undefined
        }
        if (packet.kind === 'startup') return await this.#askForProof(stream, packet, signal)
        if (packet.kind === 'ssl' && stream.constructor === Socket)
          stream = await this.#startTls(stream, signal)
        else stream.write('N')
      }
      throw new SallyportError('WIRE_MALFORMED', 'the client keeps asking for encryption')
    } catch (thrown) {
      const error = isSystemError(thrown)
        ? new SallyportError('WIRE_MALFORMED', 'the client broke the connection off', { cause: thrown })
        : SallyportError.from(thrown)
      await refuse(stream, error)
      throw error
    }
  }

  async #startTls(stream: Socket, signal: AbortSignal): Promise<TLSSocket> {
    // Bytes sent before the TLS handshake would be read as if they had come through it (CVE-2021-23214).
    if (stream.readableLength > 0) {
      throw new SallyportError('WIRE_MALFORMED', 'the client sent more before the TLS handshake than it may')
    }
    stream.write('S')
    const secured = new TLSSocket(stream, {
      isServer: true,
      secureContext: this.#tls,
      ALPNProtocols: ['postgresql'],
    })
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error)
      signal.addEventListener('abort', abort, { once: true })
      secured.once('secure', () => {
        signal.removeEventListener('abort', abort)
        resolve()
      })
      secured.once('close', () => reject(new SallyportError('WIRE_MALFORMED', 'the TLS handshake failed')))
      secured.on('error', (cause) => {
        reject(new SallyportError('WIRE_MALFORMED', 'the TLS handshake failed', { cause }))
      })
    })
    return secured
  }

  async #askForProof(
    stream: Duplex,
    packet: Extract<StartupPacket, { kind: 'startup' }>,
    signal: AbortSignal,
  ): Promise<Greeting> {
    if (packet.major !== 3) {
      throw new SallyportError(
        'WIRE_UNSUPPORTED',
        `protocol version ${packet.major}.${packet.minor} is not supported`,
        {
          hint: 'use a client for PostgreSQL 7.4 or later',
        },
      )
    }
    const request = readStartupParameters(packet.parameters)
    if (packet.minor > 0 || request.unknownOptions.length > 0) {
      stream.write(encodeNegotiateProtocolVersion(request.unknownOptions))
    }
    if (!isPrivate(stream)) {
      throw new AuthenticationFailed(
        'AUTH_PLAINTEXT_REFUSED',
        'a secret is not accepted over an unencrypted connection',
        {
          hint: 'connect with sslmode=require',
        },
      )
    }
    stream.write(AUTHENTICATION_CLEARTEXT_PASSWORD)
    const message = await readHandshakeMessage(new ByteSource(stream, signal), MAX_PASSWORD_MESSAGE)
    if (message === undefined)
      throw new AuthenticationFailed('AUTH_REQUIRED', 'the client left without a password')
    if (message.type !== FRONTEND.password || message.body.at(-1) !== 0) {
      throw new SallyportError('WIRE_MALFORMED', 'a password message was expected')
    }
    const token = new Secret(message.body.toString('utf8', 0, message.body.length - 1))
    return {
      targetName: request.database,
      proof: { kind: 'bearer', token },
      ...(request.clientName === undefined ? {} : { clientName: request.clientName }),
      admit: (permit, upstream) => this.#admit(stream, request, permit, upstream, signal),
      refuse: (error) => refuse(stream, error),
    }
  }

  async #admit(
    stream: Duplex,
    request: StartupRequest,
    _permit: Permit,
    upstream: Upstream,
    signal: AbortSignal,
  ): Promise<PostgresDownstream> {
    if (!(upstream instanceof PostgresUpstream)) throw new TypeError('not a PostgreSQL upstream')
    await upstream.applySettings(request.settings, signal)
    let downstream: PostgresDownstream | undefined
    const { key, release } = this.#cancelKeys.issue(async () => {
      if (downstream?.cancelsWaiting() !== true) await upstream.cancel()
    })
    downstream = new PostgresDownstream(stream, release)
    const status = [...upstream.parameters].map(([name, value]) => encodeParameterStatus(name, value))
    stream.write(
      Buffer.concat([
        AUTHENTICATION_OK,
        ...status,
        encodeBackendKeyData(key.pid, key.secret),
        encodeReadyForQuery('I'),
      ]),
    )
    return downstream
  }
}

async function readStartupPacket(stream: Duplex, signal: AbortSignal): Promise<StartupPacket | undefined> {
  const source = new ByteSource(stream, signal)
  const header = await source.take(4)
  if (header === undefined) return undefined
  const length = header.readInt32BE(0)
  if (length < 8 || length > MAX_STARTUP_PACKET) {
    throw new SallyportError('WIRE_MALFORMED', 'this does not look like a PostgreSQL client', {
      hint: 'this port speaks the PostgreSQL protocol; HTTP and MCP are served on another one',
    })
  }
  const body = await source.take(length - 4)
  return body === undefined ? undefined : decodeStartup(body)
}

/** TLS, this very process, or the loopback interface: nobody else can read along. */
function isPrivate(stream: Duplex): boolean {
  if (stream instanceof TLSSocket || !(stream instanceof Socket)) return true
  const address = stream.remoteAddress ?? ''
  return isIP(address) !== 0 && (/^(::ffff:)?127\./.test(address) || address === '::1')
}

/** ECONNRESET and its like: what a peer does to a connection is no failure of the gateway's. */
function isSystemError(thrown: unknown): boolean {
  return thrown instanceof Error && 'syscall' in thrown
}

/** Says why, as psql prints it, and hangs up. A client that does not take it is dropped. */
async function refuse(stream: Duplex, error: SallyportError): Promise<void> {
  if (stream.destroyed || !stream.writable) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => stream.destroy(), 2000)
    stream.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    stream.end(errorResponse(error, 'FATAL'))
    // What the client still sends is read and dropped: unread bytes would make the system reset the connection, and the
    // reset could overtake the reason.
    stream.resume()
  })
}
