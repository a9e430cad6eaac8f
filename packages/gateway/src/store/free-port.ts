import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Below the range from which systems take the ports of outgoing connections (Linux: 32768 up, RFC 6335: 49152 up), so
 * that no client socket of this machine can sit on the port when the server comes back to it.
 */
const LOWEST = 15_000
const HIGHEST = 32_767
const TRIES = 100

/** A TCP port on 127.0.0.1 on which nobody listens now, in 15000–32767. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(LOWEST, HIGHEST + 1)
    if (await isFree(port)) return port
  }
  throw new Error(`no free TCP port on 127.0.0.1 between ${LOWEST} and ${HIGHEST}`)
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)))
  })
}
