import { Client } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { until } from '../harness/until.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway()
})
afterAll(() => world[Symbol.asyncDispose]())

const SESSIONS = 100

test('a hundred sessions at once, each with a role of its own, all gone afterwards', async () => {
  const connection = await world.access.connection('ana')
  const clients = Array.from({ length: SESSIONS }, () => new Client(connection))
  await Promise.all(clients.map((client) => client.connect()))
  const roles = await Promise.all(
    clients.map(async (client) => {
      const { rows } = await client.query<{ role: string }>('SELECT current_user AS role')
      return rows[0]?.role
    }),
  )
  expect(new Set(roles).size).toBe(SESSIONS)
  const counts = await Promise.all(
    clients.map(async (client) => {
      let rows = 0
      for (let n = 0; n < 5; n++)
        rows += (await client.query('SELECT id FROM customers WHERE id <= 50')).rowCount ?? 0
      return rows
    }),
  )
  expect(counts).toEqual(counts.map(() => 250))
  await Promise.all(clients.map((client) => client.end()))
  await until('no role of these sessions is left', async () => {
    const left = await world.roles('login')
    return !left.some((role) => roles.includes(role))
  })
  const api = await world.access.api('ana')
  const { sessions } = await api.sessions.list({ limit: 500 })
  expect(sessions).toHaveLength(SESSIONS)
  expect(sessions.every(({ endReason, statements }) => endReason === 'client' && statements === 6)).toBe(true)
  expect(world.errors).toEqual([])
})

test('a session that does not read its result holds up nobody else', async () => {
  const stalled = await world.access.connect('ana')
  stalled.query('SELECT a.name, b.email FROM customers a CROSS JOIN customers b').catch(() => undefined)
  const connection: { readonly stream?: { pause(): void } } = (stalled as unknown as { connection: object })
    .connection
  connection.stream?.pause()
  const other = await world.access.connect('omar')
  for (let n = 0; n < 20; n++) {
    expect((await other.query('SELECT count(*)::int AS n FROM customers')).rows).toEqual([{ n: 1000 }])
  }
})
