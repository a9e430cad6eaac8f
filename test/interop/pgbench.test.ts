import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { installed, runProgram } from '../harness/programs.ts'
import { until } from '../harness/until.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const PGBENCH = installed('pgbench')

describe.skipIf(PGBENCH === undefined)('pgbench (skipped where postgresql-contrib is not installed)', () => {
  let world: TestGateway
  beforeAll(async () => {
    world = await startTestGateway({
      prepare: async (_, target) => {
        const env = {
          PGHOST: target.host,
          PGPORT: String(target.port),
          PGUSER: target.user,
          PGPASSWORD: target.password.reveal(),
          PGDATABASE: 'shop',
        }
        const { code, stderr } = await runProgram(PGBENCH ?? '', ['-i', '-q', '-s', '1'], { env })
        if (code !== 0) throw new Error(stderr)
      },
    })
  })
  afterAll(() => world[Symbol.asyncDispose]())

  const WRITER = { groups: ['readers', 'writers'] }

  async function pgbench(
    ...args: readonly string[]
  ): Promise<{ code: number | null; done: number; stderr: string }> {
    const env = await world.access.libpq('bench', WRITER)
    const { code, stdout, stderr } = await runProgram(PGBENCH ?? '', ['-n', ...args], { env })
    const done = Number(/number of transactions actually processed: (\d+)/.exec(stdout)?.[1])
    return { code, done, stderr }
  }

  test.each(['simple', 'extended', 'prepared'])('select only, %s protocol', async (protocol) => {
    const { code, done, stderr } = await pgbench('-S', '-M', protocol, '-c', '4', '-t', '250')
    expect({ code, done, stderr }).toEqual({
      code: 0,
      done: 1000,
      stderr: expect.not.stringContaining('error'),
    })
  })

  test.each(['simple', 'extended', 'prepared'])('TPC-B-like transactions, %s protocol', async (protocol) => {
    const superuser = await world.target.client('shop')
    await superuser.query('TRUNCATE pgbench_history')
    const { code, done, stderr } = await pgbench('-M', protocol, '-c', '2', '-t', '50')
    expect({ code, done, stderr }).toEqual({
      code: 0,
      done: 100,
      stderr: expect.not.stringContaining('error'),
    })
    const { rows } = await superuser.query('SELECT count(*)::int AS n FROM pgbench_history')
    expect(rows).toEqual([{ n: 100 }])
  })

  test('a new connection for each transaction', async () => {
    const { code, done } = await pgbench('-S', '-C', '-c', '2', '-t', '20')
    expect({ code, done }).toEqual({ code: 0, done: 40 })
  })

  test('what policy does not permit fails as a missing privilege does', async () => {
    const env = await world.access.libpq('bench', { groups: ['readers'] })
    const { code, stderr } = await runProgram(PGBENCH ?? '', ['-n', '-t', '1'], { env })
    expect(code).toBe(2)
    expect(stderr).toContain('denied by policy')
  })

  test('every statement is on record', async () => {
    const env = await world.access.libpq('recorded', WRITER)
    const args = ['-n', '-S', '-M', 'prepared', '-t', '30']
    expect((await runProgram(PGBENCH ?? '', args, { env })).code).toBe(0)
    const api = await world.access.api('recorded', WRITER)
    // One for looking at the tables, one for the transactions.
    const sessions = await until('its sessions have ended', async () => {
      const { sessions: all } = await api.sessions.list()
      return all.length === 2 && all.every(({ endedAt }) => endedAt !== undefined) ? all : undefined
    })
    expect(sessions.map(({ endReason }) => endReason)).toEqual(['client', 'client'])
    const { events } = await api.sessions.events(sessions[0]?.id ?? '', { limit: 1000 })
    expect(events.filter(({ kind }) => kind === 'execute')).toHaveLength(30)
  })
})
