import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { duplexPair, type Duplex } from 'node:stream'
import { createSecureContext, connect as connectTls, TLSSocket } from 'node:tls'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { makeSelfSigned } from '../../config/self-signed.ts'
import { readChunks } from './chunk-reader.ts'

const open: { destroy(): unknown }[] = []
afterEach(() => {
  for (const stream of open.splice(0)) stream.destroy()
})

/** Both ends of a connection: what a server accepted, and its client. */
type Kind = 'plain TCP' | 'TLS' | 'in-process'

async function pair(kind: Kind): Promise<{ near: Duplex; far: Duplex }> {
  if (kind === 'in-process') {
    const [near, far] = duplexPair()
    open.push(near, far)
    return { near, far }
  }
  const server = createServer({ noDelay: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepting = once(server, 'connection') as Promise<[Socket]>
  const { port } = server.address() as AddressInfo
  const dialled = connect(port, '127.0.0.1')
  const [accepted] = await accepting
  server.close()
  for (const socket of [dialled, accepted]) {
    socket.on('error', () => undefined)
    open.push(socket)
  }
  if (kind === 'plain TCP') return { near: accepted, far: dialled }
  const { cert, key } = makeSelfSigned(['localhost'])
  const secureContext = createSecureContext({ cert, key: key.reveal() })
  const near = new TLSSocket(accepted, { isServer: true, secureContext })
  const far = connectTls({ socket: dialled, rejectUnauthorized: false })
  for (const socket of [near, far]) {
    socket.on('error', () => undefined)
    open.push(socket)
  }
  await once(far, 'secureConnect')
  return { near, far }
}

/** The same numbers in every run (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

interface Habits {
  readonly seed: number
  readonly total: number
  /** The longest rest that the consumer leaves. */
  readonly maxRest: number
  readonly maxWrite: number
  /** One in so many chunks makes it pause. */
  readonly pauses: number
}

/** Sends random bytes through a reader whose consumer has bad habits, and gives back what came out. */
async function through(kind: Kind, habits: Habits): Promise<{ sent: Buffer; got: Buffer }> {
  const random = randomFrom(habits.seed)
  const sent = Buffer.alloc(habits.total)
  for (let at = 0; at < sent.length; at += 4)
    sent.writeUInt32LE(random(2 ** 32), Math.min(at, sent.length - 4))
  const { near, far } = await pair(kind)
  const head = sent.subarray(0, random(100))
  far.write(head)
  if (head.length > 0) await once(near, 'readable')

  const out: Buffer[] = []
  /** Slices that a slow writer has not come to yet. */
  let pending: Buffer[] = []
  const write = (): void => {
    for (const slice of pending) out.push(Buffer.from(slice))
    pending = []
  }
  let consumed = 0
  const done = Promise.withResolvers<void>()
  const reader = readChunks(near, {
    readSize: 16 * 1024,
    maxCarry: 512 * 1024,
    consume: (bytes, start, end) => {
      const isLast = consumed + (end - start) === habits.total
      const rest = isLast ? 0 : Math.min(end - start, random(3) === 0 ? random(habits.maxRest) : random(200))
      const until = end - rest
      // In several slices, as a relay that replaces messages forwards.
      for (let at = start; at < until; ) {
        const next = Math.min(until, at + 1 + random(9000))
        pending.push(bytes.subarray(at, next))
        at = next
      }
      consumed += until - start
      if (random(3) === 0) setImmediate(write)
      if (random(habits.pauses) === 0) {
        reader.pause()
        const resume = (): void => reader.resume()
        const way = random(3)
        if (way === 0) queueMicrotask(resume)
        else if (way === 1) setImmediate(resume)
        else setTimeout(resume, 1)
      }
      return until
    },
    inUse: () => pending.length > 0,
    onEnd: (error) => (error === undefined ? done.resolve() : done.reject(error)),
  })
  open.push(reader.stream)
  reader.start()
  let at = head.length
  while (at < sent.length) {
    const next = Math.min(sent.length, at + 1 + random(habits.maxWrite))
    if (!far.write(sent.subarray(at, next))) await once(far, 'drain')
    at = next
    if (random(4) === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  far.end()
  await done.promise
  write()
  return { sent, got: Buffer.concat(out) }
}

describe.each<Kind>(['plain TCP', 'TLS', 'in-process'])('over %s', (kind) => {
  it.each<[string, Habits]>([
    ['short rests', { seed: 1, total: 1_000_000, maxRest: 300, maxWrite: 3000, pauses: 4 }],
    [
      'rests longer than the carry area',
      { seed: 2, total: 1_000_000, maxRest: 9000, maxWrite: 9000, pauses: 4 },
    ],
    [
      'rests longer than a read',
      { seed: 3, total: 3_000_000, maxRest: 100_000, maxWrite: 60_000, pauses: 5 },
    ],
    ['hardly a pause', { seed: 4, total: 2_000_000, maxRest: 300, maxWrite: 100_000, pauses: 1000 }],
    [
      'a pause at nearly every chunk',
      { seed: 5, total: 500_000, maxRest: 70_000, maxWrite: 5000, pauses: 2 },
    ],
  ])('bytes come through as they were, with %s', async (_, habits) => {
    for (let round = 0; round < 3; round++) {
      const { sent, got } = await through(kind, { ...habits, seed: habits.seed + 100 * round })
      expect(got.equals(sent)).toBe(true)
    }
  })

  it('a slow reader holds the sender up instead of filling memory', async () => {
    const { near, far } = await pair(kind)
    let consumed = 0
    const reader = readChunks(near, {
      readSize: 16 * 1024,
      maxCarry: 1024,
      consume: (_bytes, start, end) => {
        consumed += end - start
        reader.pause()
        return end
      },
      inUse: () => false,
      onEnd: () => undefined,
    })
    open.push(reader.stream)
    reader.start()
    let accepted = 0
    const chunk = Buffer.alloc(64 * 1024)
    // Until the system's own buffers are full; they differ from machine to machine.
    for (; accepted < 64_000_000; accepted += chunk.length) {
      if (!far.write(chunk) && far.writableLength > 1_000_000) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(accepted).toBeLessThan(64_000_000)
    expect(consumed).toBeLessThan(200_000)
  })

  it('a rest that is too long ends it, and says so', async () => {
    const { near, far } = await pair(kind)
    const ended = Promise.withResolvers<Error | undefined>()
    const reader = readChunks(near, {
      readSize: 1024,
      maxCarry: 2000,
      consume: (_bytes, start) => start,
      inUse: () => false,
      onEnd: ended.resolve,
    })
    open.push(reader.stream)
    reader.start()
    far.write(Buffer.alloc(10_000))
    expect(await ended.promise).toBeInstanceOf(RangeError)
  })

  it('what the consumer throws ends it', async () => {
    const { near, far } = await pair(kind)
    const ended = Promise.withResolvers<Error | undefined>()
    const reader = readChunks(near, {
      readSize: 1024,
      maxCarry: 2000,
      consume: () => {
        throw new Error('no')
      },
      inUse: () => false,
      onEnd: ended.resolve,
    })
    open.push(reader.stream)
    reader.start()
    far.write('x')
    expect((await ended.promise)?.message).toBe('no')
  })

  it.each(['before it was read', 'while it is read'])('a peer that vanishes %s is noticed', async (when) => {
    const { near, far } = await pair(kind)
    const vanish = async (): Promise<void> => {
      far.destroy()
      if (kind === 'in-process') near.destroy()
    }
    if (when === 'before it was read') {
      near.resume()
      await vanish()
      await once(near, 'close')
    }
    const ended = Promise.withResolvers<void>()
    const reader = readChunks(near, {
      readSize: 1024,
      maxCarry: 2000,
      consume: (_bytes, _start, end) => end,
      inUse: () => false,
      onEnd: () => ended.resolve(),
    })
    open.push(reader.stream)
    reader.start()
    if (when === 'while it is read') await vanish()
    await ended.promise
  })

  it('an end that came before it was read is noticed', async () => {
    const { near, far } = await pair(kind)
    far.end('bye')
    await once(near, 'readable')
    const got: string[] = []
    const ended = Promise.withResolvers<void>()
    const reader = readChunks(near, {
      readSize: 1024,
      maxCarry: 2000,
      consume: (bytes, start, end) => {
        got.push(bytes.toString('latin1', start, end))
        return end
      },
      inUse: () => false,
      onEnd: () => ended.resolve(),
    })
    open.push(reader.stream)
    reader.start()
    await ended.promise
    expect(got.join('')).toBe('bye')
  })
})
