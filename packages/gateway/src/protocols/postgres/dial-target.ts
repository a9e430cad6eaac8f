import { connect as connectTcp, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { Target } from '../../access/model.ts'
import { ByteSource } from '../wire/byte-source.ts'
import { SSL_REQUEST_PACKET } from './messages.ts'
import { asUnreachable, reason, unreachable } from './target-unreachable.ts'

/**
 * A connection to a target on which nothing was said yet, over TLS unless its configuration turns that off ("SSL Session
 * Encryption").
 * @throws SallyportError TARGET_UNREACHABLE with the step that failed
 */
export async function dialTarget(target: Target, signal: AbortSignal): Promise<Duplex> {
  const { host, port } = target.address
  const socket = connectTcp({ host, port, noDelay: true })
  await event(socket, 'connect', signal, (cause) =>
    unreachable(
      target,
      `TCP failed: ${reason(cause)}`,
      'is the target running, and is its address right?',
      cause,
    ),
  )
  if (target.tls.mode === 'disable') return socket
  return await secure(socket, target, signal)
}

async function secure(socket: Socket, target: Target, signal: AbortSignal): Promise<Duplex> {
  socket.write(SSL_REQUEST_PACKET)
  const answer = await new ByteSource(socket, signal).take(1).catch((error: unknown) => {
    socket.destroy()
    throw asUnreachable(target, 'TCP ok, TLS failed', error)
  })
  if (answer?.[0] !== 0x53 || socket.readableLength > 0) {
    socket.destroy()
    throw unreachable(
      target,
      'TCP ok, TLS failed: the server does not offer it',
      'turn on ssl there, or set tls: disable',
    )
  }
  const verify = target.tls.mode === 'verify-full'
  const secured = connectTls({
    socket,
    // The certificate is checked against `host`; SNI is for names only (RFC 6066, section 3).
    host: target.address.host,
    ...(isIP(target.address.host) === 0 ? { servername: target.address.host } : {}),
    rejectUnauthorized: verify,
    ALPNProtocols: ['postgresql'],
    ...(target.tls.ca === undefined ? {} : { ca: target.tls.ca }),
  })
  await event(secured, 'secureConnect', signal, (cause) =>
    unreachable(
      target,
      `TCP ok, TLS failed: ${reason(cause)}`,
      'check the certificate, its name and tls.ca',
      cause,
    ),
  )
  return secured
}

/** Resolves at `name`; rejects, and destroys the socket, when it fails, closes or is aborted first. */
function event(
  socket: Socket,
  name: 'connect' | 'secureConnect',
  signal: AbortSignal,
  wrap: (cause: Error) => Error,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(wrap(signal.reason as Error))
    // Stays for the socket's life: an 'error' that nobody listens to would end the process.
    socket.on('error', (error) => fail(wrap(error)))
    socket.once('close', () => fail(wrap(new Error('the connection was closed'))))
    socket.once(name, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}
