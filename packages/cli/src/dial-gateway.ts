import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Where and how the gateway takes PostgreSQL connections. */
export interface GatewayAddress {
  readonly host: string
  readonly port: number
}

const CONNECT_TIMEOUT_MS = 10_000
/** SSLRequest (PostgreSQL, "Message Formats"): length 8, code 80877103. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])

/** Loopback never leaves the machine: the only place where the gateway takes a secret without TLS. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/**
 * Opens a connection to the gateway's PostgreSQL listener that a start-up message may be sent on: bare on loopback, and
 * otherwise in TLS with the certificate verified, whatever the client that uses it is able to do itself.
 */
export async function dialGateway(address: GatewayAddress): Promise<Socket> {
  const socket = await opened(connect({ host: address.host, port: address.port, noDelay: true }), 'connect')
  if (isLoopback(address.host)) return socket
  socket.write(SSL_REQUEST)
  const answer = await firstByte(socket)
  if (answer !== 'S') {
    socket.destroy()
    throw new Error(
      `${address.host}:${address.port} does not offer TLS, and a ticket may not cross a network without it`,
    )
  }
  // Server names are names (RFC 6066 §3): an address goes without, and is checked against the certificate all the same.
  const name = isIP(address.host) ? {} : { servername: address.host }
  return opened(connectTls({ socket, host: address.host, ...name }), 'secureConnect')
}

function opened<S extends Socket>(socket: S, event: 'connect' | 'secureConnect'): Promise<S> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    socket.setTimeout(CONNECT_TIMEOUT_MS, () =>
      fail(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`)),
    )
    socket.once('error', fail)
    socket.once(event, () => {
      socket.setTimeout(0)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}

/** The one byte that answers an SSLRequest. More than one would be somebody injecting bytes before TLS: refused. */
function firstByte(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer to the TLS request')))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the gateway hung up on the TLS request')))
    socket.once('data', (chunk: Buffer) => {
      socket.pause()
      socket.setTimeout(0)
      resolve(chunk.length === 1 ? chunk.toString('latin1') : '')
    })
  })
}
