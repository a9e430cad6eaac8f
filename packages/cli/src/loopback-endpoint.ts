import { createServer, type Socket } from 'node:net'

/** A port of ours on loopback that leads to one target, as long as the child that it was made for lives. */
export interface LoopbackEndpoint extends AsyncDisposable {
  readonly host: '127.0.0.1'
  readonly port: number
  /** Takes no more connections and cuts the ones there are. */
  close(): Promise<void>
}

// A connection pool of a big test suite fits; a child that leaks connections does not take the gateway's limit with it.
const MAX_CONNECTIONS = 200

/**
 * Listens on an ephemeral loopback port and joins each connection to a new one from `dial`, byte for byte. The ticket that
 * the child shows is checked by the gateway; this port carries no authority of its own.
 * @param dial opens a connection to the gateway; when it fails the child's connection is closed
 */
export async function openLoopbackEndpoint(
  dial: () => Promise<Socket>,
  onError: (error: Error) => void,
): Promise<LoopbackEndpoint> {
  const open = new Set<Socket>()
  let closed = false
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    open.add(client)
    client.once('close', () => open.delete(client))
    client.on('error', () => client.destroy())
    dial().then(
      (gateway) => {
        if (closed || client.destroyed) gateway.destroy()
        else join(client, gateway)
      },
      (error: unknown) => {
        client.destroy()
        onError(error instanceof Error ? error : new Error(String(error)))
      },
    )
  })
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const close = async (): Promise<void> => {
    if (closed) return
    closed = true
    const ended = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of open) socket.destroy()
    await ended
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the endpoint has no port')
  return { host: '127.0.0.1', port: address.port, close, [Symbol.asyncDispose]: close }
}

function join(client: Socket, gateway: Socket): void {
  gateway.on('error', () => gateway.destroy())
  gateway.once('close', () => client.destroy())
  client.once('close', () => gateway.destroy())
  client.pipe(gateway)
  gateway.pipe(client)
}
