import type { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { GatewayAccess } from '../harness/gateway-access.ts'
import { type GatewayProcess, startGatewayProcess } from '../harness/gateway-process.ts'
import { startTestWorld, type TestWorld, type WorldOptions } from '../harness/test-world.ts'
import { until } from '../harness/until.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/** What the gateway promises of the time after it is back. */
const NO_CREDENTIAL_MS = 10_000
const NO_ROLE_MS = 60_000

let world: TestWorld
let stack: AsyncDisposableStack
beforeEach(() => {
  stack = new AsyncDisposableStack()
})
afterEach(() => stack.disposeAsync())

async function startWorld(options: WorldOptions = {}): Promise<GatewayProcess> {
  world = stack.use(await startTestWorld(options))
  return await startGatewayProcess(world)
}

/** The gateway comes back, and nothing that the killed one left is of use for longer than it promises. */
async function comesBack(): Promise<GatewayAccess> {
  const left = await world.roles('all')
  const gateway = stack.use(await startGatewayProcess(world))
  const superuser = await world.target.client()
  await until(
    'none of the roles that were left can log in',
    async () => {
      const sql = 'SELECT FROM pg_roles WHERE rolname = ANY($1) AND rolcanlogin'
      return (await superuser.query(sql, [left])).rowCount === 0
    },
    NO_CREDENTIAL_MS,
  )
  await until(
    'no role that was left is there any more',
    async () =>
      (await superuser.query('SELECT FROM pg_roles WHERE rolname = ANY($1)', [left])).rowCount === 0,
    NO_ROLE_MS,
  )
  const { rowCount } = await superuser.query('SELECT FROM pg_stat_activity WHERE usename = ANY($1)', [left])
  expect(rowCount).toBe(0)
  await superuser.end()
  return gateway.access
}

/** Runs numbered statements one after the other until the connection breaks. @returns how many were answered */
async function runUntilBroken(client: Client, answered: (n: number) => void): Promise<number> {
  for (let n = 1; ; n++) {
    try {
      await client.query(`SELECT ${n} AS n`)
    } catch {
      return n - 1
    }
    answered(n)
  }
}

describe.each([
  ['a store of its own', {}],
  ['the embedded store', { settings: { database: undefined } }],
])('after a crash with %s', (_, options: WorldOptions) => {
  test('no credential is left, and every statement that was answered is on record', async () => {
    const gateway = await startWorld(options)
    const clients = await Promise.all(
      [1, 2, 3].map((n) => gateway.access.connect(`agent-${n}`, { kind: 'agent' })),
    )
    const answered: number[] = []
    const running = clients.map((client) => runUntilBroken(client, (n) => answered.push(n)))
    await until('all of them are at work', () => answered.filter((n) => n === 30).length === 3)
    expect((await world.roles('login')).length).toBeGreaterThanOrEqual(3)
    await gateway.crash()
    const counts = await Promise.all(running)

    const access = await comesBack()
    for (const [index, count] of counts.entries()) {
      const api = await access.api(`agent-${index + 1}`, { kind: 'agent' })
      const { sessions } = await api.sessions.list()
      expect(sessions).toMatchObject([{ endReason: 'gateway crashed' }])
      const texts: string[] = []
      for (let from: number | undefined = 0; from !== undefined; ) {
        const page: Awaited<ReturnType<typeof api.sessions.events>> = await api.sessions.events(
          sessions[0]?.id ?? '',
          {
            from,
            limit: 1000,
          },
        )
        texts.push(...page.events.flatMap((event) => (event.kind === 'statement' ? [event.text] : [])))
        from = page.next
      }
      const expected = Array.from({ length: count }, (__, n) => `SELECT ${n + 1} AS n`)
      expect(texts.slice(0, count)).toEqual(expected)
    }
    const client = await access.connect('agent-1', { kind: 'agent' })
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
  })
})

test.each([0, 7, 15])(
  'crashing while many sessions open, after %i of 20, leaves nothing behind',
  async (crashAfter) => {
    const gateway = await startWorld()
    const { secret } = await gateway.access.ticket('ana')
    let open = 0
    let crashed: Promise<void> | undefined
    const crash = (): void => {
      crashed ??= gateway.crash()
    }
    const opening = Array.from({ length: 20 }, () =>
      gateway.access.connect('ana', { password: secret }).then(
        () => {
          if (++open >= crashAfter) crash()
        },
        () => undefined,
      ),
    )
    // With none open yet, the roles are being made just now.
    if (crashAfter === 0) {
      await until('the first role is there', async () => (await world.roles('login')).length > 0)
      crash()
    }
    await Promise.all(opening)
    await crashed
    const access = await comesBack()
    const client = await access.connect('ana')
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
  },
)

test('a gateway that is killed again and again while it cleans up finishes in the end', async () => {
  const gateway = await startWorld()
  await Promise.all(Array.from({ length: 12 }, () => gateway.access.connect('ana')))
  await gateway.crash()
  for (let n = 0; n < 2; n++) {
    const next = await startGatewayProcess(world)
    await next.crash()
  }
  await comesBack()
})
