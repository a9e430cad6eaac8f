import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Secret } from '../access/secret.ts'
import { type IssuerTarget, startIssuerTarget } from '../protocols/postgres/issuer-target.fixture.ts'
import { STEPS } from './crash.fixture.ts'
import { openLeaseWorld, READ } from './leases.fixture.ts'

let server: IssuerTarget
const signal = AbortSignal.timeout(10 * 60_000)

beforeAll(async () => {
  server = await startIssuerTarget()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

/** @returns the credentials that it had made when it was killed */
async function crashAt(
  step: (typeof STEPS)[number],
): Promise<readonly { username: string; secret: string }[]> {
  const script = fileURLToPath(new URL('crash.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, ['--no-warnings', script], { stdio: ['pipe', 'pipe', 'pipe'] })
  const { port } = server.target.address
  const { username, password } = server.target.credentials
  const storeUrl = server.storeUrl.reveal()
  child.stdin.end(JSON.stringify({ step, storeUrl, port, username, password: password.reveal() }))
  const ended = new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)))
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect(await ended, errors).toBe('SIGKILL')
  return out
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

test.each(STEPS)('after SIGKILL at "%s", the next start leaves no credential and no role', async (step) => {
  const credentials = await crashAt(step)
  expect(credentials.length).toBe(step === 'planned' ? 0 : step === 'made ahead' ? 3 : 1)
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  expect((await world.store.open()).length).toBeGreaterThan(0)
  const began = performance.now()
  await world.sweeper.start()
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(await world.store.open()).toEqual([])
  expect(await server.roles()).toEqual([])
  for (const { username, secret } of credentials) {
    const login = server.login({ username, secret: new Secret(secret), readOnly: true })
    await expect(login).rejects.toThrow('authentication failed')
  }
})

test('a role that no row knows is removed, and said so', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  const plan = world.issuer.plan(world.owner, 'lea_stray', READ, new Date(Date.now() + 60_000))
  const credential = await world.issuer.issue(plan, signal)
  const session = await server.login(credential)
  const ended = new Promise((resolve) => session.once('end', resolve))
  expect(await world.sweeper.sweep()).toMatchObject({ strays: 1 })
  await ended
  expect(await server.roles()).toEqual([])
  expect(world.events).toEqual([{ type: 'lease.stray', target: 'shop', detail: { role: plan.handle } }])
})

test('a role that a crash left in the making, and that came true after the first round, is removed soon', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  await world.sweeper.start()
  const started = performance.now()
  const plan = world.issuer.plan(world.owner, 'lea_late', READ, new Date(Date.now() + 60_000))
  await world.issuer.issue(plan, signal)
  await vi.waitFor(async () => expect(await server.roles()).toEqual([]), { timeout: 30_000, interval: 50 })
  expect(performance.now() - started).toBeLessThan(10_000)
})

test("another installation's role is left alone until it has been expired for a while", async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  const make = (id: string, agoMs: number) =>
    world.issuer.issue(world.issuer.plan('ffffffff', id, READ, new Date(Date.now() - agoMs)), signal)
  const live = await make('lea_live', -60_000)
  const justOver = await make('lea_over', 1_000)
  await make('lea_forgotten', 3_600_000)
  await world.sweeper.sweep()
  const left = (await server.roles()).filter((role) => role.includes('_l_'))
  expect(left).toEqual([live.username, justOver.username])
  for (const handle of left) await world.issuer.revoke(handle, signal)
  await world.issuer.tidy('ffffffff', new Set(), signal)
})

test('live leases are left alone until they are too old', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  await using lease = await world.leases.issue({
    permit: world.permit(),
    capability: READ,
    sessionId: 'ses_1',
    signal,
  })
  expect(await world.sweeper.sweep()).toEqual({ revoked: 0, failed: 0, left: 0, strays: 0, tidied: 0 })
  expect(lease.signal.aborted).toBe(false)
  world.clock.offset = 901_000
  expect(await world.sweeper.sweep()).toMatchObject({ revoked: 1 })
  expect(lease.signal.reason).toMatchObject({ code: 'SESSION_ENDED' })
  expect((await server.roles()).filter((role) => role.includes('_l_'))).toEqual([])
})

test('what a target that is down cannot forget is tried again until it is back', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  const lease = await world.leases.issue({
    permit: world.permit(),
    capability: READ,
    sessionId: 'ses_1',
    signal,
  })
  world.reachable = false
  await lease[Symbol.asyncDispose]()
  expect(await world.sweeper.sweep()).toMatchObject({ revoked: 0, failed: 1, left: 1 })
  expect(await world.sweeper.sweep()).toMatchObject({ revoked: 0, failed: 0, left: 1 })
  expect(await world.store.get(lease.id)).toMatchObject({
    state: 'revoking',
    attempts: 2,
    lastError: expect.stringContaining('connection refused'),
  })
  expect(world.events.filter((event) => event.type === 'lease.revoke-failed').length).toBe(2)
  world.reachable = true
  world.clock.offset = 31_000
  expect(await world.sweeper.sweep()).toMatchObject({ revoked: 1, failed: 0, left: 0 })
  expect(await world.store.get(lease.id)).toMatchObject({ state: 'revoked' })
})

test('a lease whose target is no longer configured is not forgotten', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  await world.store.plan({
    id: 'lea_orphan',
    target: 'gone',
    handle: 'sp_00000000_l_orphan',
    capability: READ,
    expiresAt: new Date(),
  })
  expect(await world.sweeper.sweep()).toMatchObject({ failed: 1, left: 1 })
  expect((await world.store.get('lea_orphan'))?.state).toBe('planned')
  await world.store.revoked('lea_orphan')
})
