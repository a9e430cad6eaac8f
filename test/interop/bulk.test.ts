import { readFile } from 'node:fs/promises'
import { type Client, Query } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type GatewayProcess, startGatewayProcess } from '../harness/gateway-process.ts'
import { startTestWorld, type TestWorld } from '../harness/test-world.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/** 200 MB in rows of 1 kB. */
const ROWS = 200_000
/** The gateway may hold a few reads in each direction, and what its garbage collector has not looked at yet. */
const ALLOWED_GROWTH_KB = 64 * 1024

let world: TestWorld
let gateway: GatewayProcess
beforeAll(async () => {
  world = await startTestWorld()
  gateway = await startGatewayProcess(world)
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

/** In kB, as Linux accounts it: what is resident now, or the most that ever was. */
async function memory(field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${gateway.pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1])
}

/** Counts rows without keeping any. */
async function count(client: Client, text: string): Promise<number> {
  return await new Promise((resolve, reject) => {
    let rows = 0
    const query = client.query(new Query(text))
    query.on('row', () => rows++)
    query.on('error', reject)
    query.on('end', () => resolve(rows))
  })
}

test.skipIf(process.platform !== 'linux')('a result of 200 MB goes through in flat memory', async () => {
  const client = await gateway.access.connect('ana')
  const rows = (n: number): string => `SELECT g, repeat('x', 1000) FROM generate_series(1, ${n}) g`
  // Once through everything first, so that only what the size adds is measured.
  expect(await count(client, rows(20_000))).toBe(20_000)
  const before = await memory('VmRSS')
  expect(await count(client, rows(ROWS))).toBe(ROWS)
  expect((await memory('VmHWM')) - before).toBeLessThan(ALLOWED_GROWTH_KB)
})

test.skipIf(process.platform !== 'linux')('and so does a client that reads slowly', async () => {
  const client = await gateway.access.connect('ana')
  await client.query('SELECT 1')
  const before = await memory('VmRSS')
  const { stream } = (client as unknown as { connection: { stream: NodeJS.ReadableStream } }).connection
  let reads = 0
  stream.on('data', () => {
    // Every tenth read it lets the gateway wait for a turn of its loop or two.
    if (++reads % 10 !== 0) return
    stream.pause()
    setImmediate(() => setImmediate(() => stream.resume()))
  })
  expect(await count(client, `SELECT g, repeat('x', 1000) FROM generate_series(1, ${ROWS / 4}) g`)).toBe(
    ROWS / 4,
  )
  expect((await memory('VmHWM')) - before).toBeLessThan(ALLOWED_GROWTH_KB)
})

test('COPY of many rows in and out keeps each of them', async () => {
  const client = await gateway.access.connect('ana', { groups: ['readers', 'writers'] })
  const rows = Array.from({ length: 50_000 }, (_, n) => `${n + 10_000}\t${'y'.repeat(100)} ${n}\n`)
  await copyIn(client, 'COPY notes (id, text) FROM STDIN', rows)
  const { rows: counted } = await client.query(
    'SELECT count(*)::int AS n, count(DISTINCT text)::int AS texts FROM notes WHERE id >= 10000',
  )
  expect(counted).toEqual([{ n: 50_000, texts: 50_000 }])
  expect(await copyOut(client, 'COPY notes TO STDOUT')).toBe(50_000)
})

interface WireConnection {
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

/** node-pg has no COPY of its own; its connection has what it takes. */
async function copyIn(client: Client, text: string, rows: readonly string[]): Promise<void> {
  await submitted(client, text, {
    handleCopyInResponse: (connection) => {
      for (let at = 0; at < rows.length; at += 500) {
        connection.sendCopyFromChunk(Buffer.from(rows.slice(at, at + 500).join('')))
      }
      connection.endCopyFrom()
    },
  })
}

async function copyOut(client: Client, text: string): Promise<number> {
  let lines = 0
  await submitted(client, text, {
    handleCopyData: ({ chunk }) => {
      lines += chunk.toString().split('\n').length - 1
    },
  })
  return lines
}

function submitted(
  client: Client,
  text: string,
  handlers: {
    readonly handleCopyInResponse?: (connection: WireConnection) => void
    readonly handleCopyData?: (message: { readonly chunk: Buffer }) => void
  },
): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query({
      submit: (connection: unknown) => (connection as WireConnection).query(text),
      handleError: reject,
      handleReadyForQuery: () => resolve(),
      handleRowDescription: () => undefined,
      handleCommandComplete: () => undefined,
      handleCopyInResponse: () => undefined,
      handleCopyData: () => undefined,
      ...handlers,
    } as never)
  })
}
