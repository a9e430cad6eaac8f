import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { startTestGateway } from '../harness/gateway.ts'
import { startGatewayProcess } from '../harness/gateway-process.ts'
import { installed, runProgram } from '../harness/programs.ts'
import { endOf } from '../harness/session-end.ts'
import { startTestWorld } from '../harness/test-world.ts'
import { until } from '../harness/until.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const PRLIMIT = installed('prlimit')
const WRITER = { groups: ['readers', 'writers'] }

/** Sends INSERTs until one is refused. @returns how many were answered, and the refusal */
async function insertUntilRefused(
  query: (text: string) => Promise<unknown>,
): Promise<{ done: number; error: { code?: string; message: string } }> {
  for (let n = 1; ; n++) {
    try {
      await query(`INSERT INTO notes (id, text) VALUES (${n}, '${'x'.repeat(2000)}')`)
    } catch (error) {
      return { done: n - 1, error: error as { code?: string; message: string } }
    }
  }
}

describe.skipIf(PRLIMIT === undefined)('when the journal cannot be written (skipped without prlimit)', () => {
  test('no statement reaches the target, and no session is let in', async () => {
    await using world = await startTestWorld()
    // No file may grow beyond this: the journal is full soon.
    await using gateway = await startGatewayProcess(world, [PRLIMIT ?? '', '--fsize=200000'])
    const client = await gateway.access.connect('ana', WRITER)
    const ended = endOf(client)
    const role = (await client.query<{ role: string }>('SELECT current_user AS role')).rows[0]?.role ?? ''
    const password = await world.token('ana', WRITER)
    const { done, error } = await insertUntilRefused((text) => client.query(text))
    expect(done).toBeGreaterThan(10)
    expect(error).toMatchObject({ code: '58030', message: 'the journal cannot be written' })
    await ended
    const superuser = await world.target.client('shop')
    expect((await superuser.query('SELECT count(*)::int AS n FROM notes')).rows).toEqual([{ n: done }])
    await expect(gateway.access.connect('ana', { password })).rejects.toMatchObject({ code: '58030' })
    const ready = await fetch(`${gateway.access.url}/readyz`)
    expect(ready.status).toBe(503)
    // The credential goes, recorded or not.
    await until("the session's credential is gone", async () => !(await world.roles('login')).includes(role))
  })
})

const isRoot = process.getuid?.() === 0

test.skipIf(!isRoot || process.platform !== 'linux')(
  'a full disk refuses statements as well (skipped where no tmpfs can be mounted)',
  async ({ skip }) => {
    const disk = await mkdtemp(join(tmpdir(), 'sallyport-test-disk-'))
    const mounted = await runProgram('/bin/mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    try {
      skip(mounted.code !== 0, `a tmpfs cannot be mounted: ${mounted.stderr}`)
      await using world = await startTestWorld({ settings: { dataDir: disk } })
      await using gateway = await startGatewayProcess(world)
      const client = await gateway.access.connect('ana', WRITER)
      const { done, error } = await insertUntilRefused((text) => client.query(text))
      expect(error).toMatchObject({ code: '58030' })
      const superuser = await world.target.client('shop')
      expect((await superuser.query('SELECT count(*)::int AS n FROM notes')).rows).toEqual([{ n: done }])
    } finally {
      await runProgram('/bin/umount', [disk])
      await rm(disk, { recursive: true, force: true })
    }
  },
)

test('without its store, sessions go on and are recorded, and new ones are refused', async () => {
  await using world = await startTestGateway()
  const password = await world.token('ana')
  const { secret } = await world.access.ticket('ana')
  const client = await world.access.connect('ana', { password })
  await client.query('SELECT 1 AS before')
  await world.storeIsAway(true)
  expect((await client.query('SELECT 2 AS during')).rows).toEqual([{ during: 2 }])
  await expect(client.query('DROP TABLE customers')).rejects.toMatchObject({ code: '42501' })
  await expect(world.access.connect('omar', { password: secret })).rejects.toMatchObject({
    code: '57P03',
    hint: expect.stringMatching(/./),
  })
  await expect((await world.access.api('ana')).sessions.list()).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    status: 503,
  })
  expect((await fetch(`${world.access.url}/readyz`)).status).toBe(503)
  expect((await fetch(`${world.access.url}/healthz`)).status).toBe(200)
  await world.storeIsAway(false)
  await until('new sessions are let in again', () =>
    world.access.connect('ana', { password }).then(
      () => true,
      () => undefined,
    ),
  )
  const api = await world.access.api('ana')
  const recorded = await until('what happened meanwhile is in the store', async () => {
    const { sessions } = await api.sessions.list().catch(() => ({ sessions: [] }))
    const id = sessions.find(({ denied }) => denied === 1)?.id
    return id === undefined ? undefined : (await api.sessions.events(id)).events
  })
  expect(recorded.flatMap((event) => (event.kind === 'statement' ? [event.text] : []))).toEqual([
    'SELECT 1 AS before',
    'SELECT 2 AS during',
    'DROP TABLE customers',
  ])
})

test('a policy that cannot be evaluated denies', async () => {
  await using world = await startTestGateway({
    policies: `
@id("connects")
permit (principal, action == Action::"connect", resource);
@id("reads")
permit (principal, action in Action::"read", resource);
@id("overflows")
forbid (principal, action == Action::"select", resource == Table::"shop/public.notes")
when { context.time.epochSeconds * 9223372036854775807 > 0 };
`,
  })
  const client = await world.access.connect('ana')
  expect((await client.query('SELECT id FROM customers WHERE id = 1')).rows).toEqual([{ id: 1 }])
  await expect(client.query('SELECT * FROM notes')).rejects.toMatchObject({
    code: '42501',
    where: expect.stringContaining('overflows'),
  })
  expect((await client.query('SELECT id FROM customers WHERE id = 2')).rows).toEqual([{ id: 2 }])
})

test('without any policy nobody may do anything', async () => {
  await using world = await startTestGateway({ policies: '' })
  const password = await world.token('ana')
  await expect(world.access.connect('ana', { password })).rejects.toMatchObject({ code: '42501' })
  expect(await world.roles('all')).toEqual([])
})
