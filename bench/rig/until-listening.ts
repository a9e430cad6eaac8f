import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Tries every 2 ms until somebody accepts. False when nobody did in time. */
export async function untilListening(host: string, port: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    const accepted = await new Promise<boolean>((resolve) => {
      const socket = connect({ host, port }, () => resolve(true))
      socket.on('connect', () => socket.destroy())
      socket.on('error', () => resolve(false))
    })
    if (accepted) return true
    await sleep(2)
  }
  return false
}
