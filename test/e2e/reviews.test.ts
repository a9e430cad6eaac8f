import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { runProgram } from '../harness/programs.ts'
import type { TokenWish } from '../harness/test-world.ts'
import { until } from '../harness/until.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const BIN = join(import.meta.dirname, '../../packages/cli/bin/sallyport.js')

const MORE = `
@id("glass")
@alarm("changed without approval")
@reviewers("group:security")
permit (principal in Group::"on-call", action in Action::"write", resource in Schema::"shop/public")
when { context has purpose && context.purpose like "break-glass: *" };

@id("glass-door")
@alarm("somebody came in by the glass door")
permit (principal in Group::"glass-door", action == Action::"connect", resource == Target::"shop");
`
const ON_CALL: TokenWish = { groups: ['readers', 'on-call'] }
const SECURITY: TokenWish = { groups: ['security'] }
const UPDATE = 'UPDATE customers SET name = name WHERE id = 1'

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway({ files: { 'more.cedar': MORE } })
})
afterAll(() => world[Symbol.asyncDispose]())

const api = (principal: string, wish?: TokenWish) => world.access.api(principal, wish)

/** Breaks the glass once, and gives the session and the name of its review. */
async function broken(principal = 'omar', statement = UPDATE) {
  const client = await world.access.connect(principal, { ...ON_CALL, purpose: 'break-glass: INC-4711' })
  await client.query(statement)
  const own = await api(principal, ON_CALL)
  const { reviews } = await own.reviews.list({ limit: 1 })
  const [review] = reviews
  if (review === undefined) throw new Error('nothing is to be reviewed')
  return { client, review }
}

const word = (alarms: number, note = 'the ticket says the same') =>
  ({ verdict: 'justified', note, alarms }) as const

describe('what was done under an alarm', () => {
  test('is one entry for the session and policy, with all that was run, and is named by the session', async () => {
    const { client, review } = await broken()
    await client.query(UPDATE)
    await client.query('SELECT name FROM customers')
    await client.query('DELETE FROM customers WHERE id = 0')
    const security = await api('sam', SECURITY)
    const found = await security.reviews.get(review.id)
    expect(found).toMatchObject({
      state: 'open',
      principal: { kind: 'user', id: 'omar' },
      target: 'shop',
      policy: 'glass',
      alarm: 'changed without approval',
      reviewers: ['security'],
      purpose: 'break-glass: INC-4711',
      alarms: 3,
      yours: true,
      statements: [
        { text: UPDATE, count: 2, operations: expect.arrayContaining(['update public.customers']) },
        { text: 'DELETE FROM customers WHERE id = 0', count: 1 },
      ],
      words: [],
    })
    const session = await (await api('omar', ON_CALL)).sessions.get(found.session)
    expect(session.reviews).toEqual([{ id: review.id, policy: 'glass', state: 'open' }])
  })

  test('is reviewed by nobody who did it, acts for whom did it, or is not named; that is audited', async () => {
    const { review } = await broken()
    const omar = await api('omar', { groups: ['readers', 'on-call', 'security'] })
    expect(await omar.reviews.get(review.id)).toMatchObject({ yours: false })
    await expect(omar.reviews.close(review.id, word(1))).rejects.toMatchObject({
      problem: { code: 'REVIEW_NOT_YOURS', status: 403, detail: expect.stringContaining('themselves') },
    })
    // Administrators may see it, and have no say by being administrators.
    const eve = await api('eve', { groups: ['admins'] })
    await expect(eve.reviews.close(review.id, word(1))).rejects.toMatchObject({
      problem: { code: 'REVIEW_NOT_YOURS', detail: expect.stringContaining('only members of security') },
    })
    const agent = await api('helper', { actingFor: 'sam', groups: ['security'] })
    await expect(agent.reviews.close(review.id, word(1))).rejects.toMatchObject({
      problem: { code: 'ACCESS_POLICY_DENIED' },
    })
    const ana = await api('ana', { groups: ['readers'] })
    await expect(ana.reviews.get(review.id)).rejects.toMatchObject({ problem: { code: 'REVIEW_UNKNOWN' } })
    const store = await world.target.client('sallyport')
    await until('the attempts are in the store', async () => {
      const { rows } = await store.query(
        "SELECT event FROM sallyport.audit_events WHERE type = 'access.denied' AND event ->> 'detail' LIKE $1",
        [`%${review.id}%`],
      )
      return rows.length === 2 ? rows : undefined
    })
    expect((await omar.reviews.get(review.id)).state).toBe('open')
  })

  test('is closed once, with a verdict and a note that are audited, and counted while it is open', async () => {
    const { review } = await broken()
    const open = async (): Promise<number> => {
      const text = await (await fetch(`${world.access.url}/metrics`)).text()
      return Number(/^sallyport_reviews_open (\d+)$/m.exec(text)?.[1])
    }
    const before = await open()
    const sam = await api('sam', SECURITY)
    const both = await Promise.allSettled([
      sam.reviews.close(review.id, word(1)),
      (await api('sue', SECURITY)).reviews.close(review.id, word(1)),
    ])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const closed = await sam.reviews.get(review.id)
    expect(closed).toMatchObject({
      state: 'justified',
      yours: false,
      words: [{ verdict: 'justified', note: 'the ticket says the same', alarms: 1, groups: ['security'] }],
    })
    expect(await open()).toBe(before - 1)
    const store = await world.target.client('sallyport')
    const [{ event }] = await until('the verdict is in the audit log', async () => {
      const { rows } = await store.query(
        "SELECT event FROM sallyport.audit_events WHERE type = 'review.close' AND event ->> 'detail' LIKE $1",
        [`%${review.id}%`],
      )
      return rows.length > 0 ? rows : undefined
    })
    expect(event).toMatchObject({
      principal: closed.words[0]?.person,
      target: 'shop',
      sessionId: closed.session,
      detail: { verdict: 'justified', note: 'the ticket says the same', policy: 'glass', alarms: 1 },
    })
  })

  test('is open again when there is more: nobody has looked at that', async () => {
    const { client, review } = await broken()
    const sam = await api('sam', SECURITY)
    await client.query(UPDATE)
    await expect(sam.reviews.close(review.id, word(1))).rejects.toMatchObject({
      problem: { code: 'REVIEW_CHANGED', status: 409 },
    })
    await sam.reviews.close(review.id, word(2))
    await client.query('DELETE FROM customers WHERE id = 0')
    expect(await sam.reviews.get(review.id)).toMatchObject({
      state: 'open',
      alarms: 3,
      yours: true,
      words: [{ verdict: 'justified', alarms: 2 }],
    })
  })

  test('may be a connection; where no reviewers are named, whoever may view the audit log has a say', async () => {
    const client = await world.access.connect('gil', { groups: ['glass-door'] })
    await client.query('SELECT 1')
    const eve = await api('eve', { groups: ['admins'] })
    const found = (await eve.reviews.list({ state: 'open' })).reviews.find(
      ({ principal }) => principal.id === 'gil',
    )
    expect(found).toMatchObject({ policy: 'glass-door', reviewers: [], yours: true, alarms: 2 })
    const sam = await api('sam', SECURITY)
    await expect(sam.reviews.get(found?.id ?? '')).rejects.toMatchObject({
      problem: { code: 'REVIEW_UNKNOWN' },
    })
    const whole = await eve.reviews.get(found?.id ?? '')
    expect(whole.statements[0]).toEqual({ cut: false, operations: ['connect'], count: 1 })
    expect(await eve.reviews.close(whole.id, { ...word(2), verdict: 'unjustified' })).toMatchObject({
      state: 'unjustified',
    })
  })

  test('is kept while the store is away, and none is lost', async () => {
    const { client, review } = await broken()
    await world.storeIsAway(true)
    await client.query(UPDATE)
    await world.storeIsAway(false)
    const sam = await api('sam', SECURITY)
    const found = await until('the store is back', () => sam.reviews.get(review.id).catch(() => undefined))
    expect(found.alarms).toBe(2)
  })
})

test('sallyport reviews lists, shows and closes, with its exit codes', async () => {
  const hidden = 'DELETE FROM customers WHERE id = 0 -- \u202Eenod'
  const { review } = await broken('omar', hidden)
  const run = async (args: readonly string[], principal = 'sam', wish = SECURITY) =>
    await runProgram(process.execPath, [BIN, ...args], {
      env: { SALLYPORT_URL: world.access.url, SALLYPORT_TOKEN: await world.token(principal, wish) },
    })
  const { id } = review
  const listed = await run(['reviews', 'list', '--mine', '-o', 'json'])
  expect((JSON.parse(listed.stdout) as { id: string }[]).map((one) => one.id)).toContain(id)
  expect((await run(['reviews', 'list'], 'ana', { groups: ['readers'] })).stderr).toContain('no reviews')
  const shown = await run(['reviews', 'show', id])
  expect(shown.stdout).toContain('│ DELETE FROM customers WHERE id = 0 -- ⟨U+202E⟩enod')
  expect(shown.stdout).toContain('changed without approval (glass)')
  const close = ['reviews', 'close', id, '--verdict', 'unjustified']
  expect(await run(close)).toMatchObject({ code: 2, stderr: expect.stringContaining('--note') })
  const noted = [...close, '--note', 'nobody had asked dora']
  expect(await run(noted, 'omar', { groups: ['on-call', 'security'] })).toMatchObject({ code: 4 })
  expect(await run([...noted, '--alarms', '7'])).toMatchObject({ code: 9 })
  expect(await run(noted)).toMatchObject({ code: 0, stderr: expect.stringContaining(`${id} unjustified`) })
  expect(await run(noted)).toMatchObject({ code: 9 })
  expect(await run(['reviews', 'show', 'rev_0'])).toMatchObject({ code: 2 })
  const session = await run(['sessions', 'show', review.session], 'omar', ON_CALL)
  expect(session.stdout).toContain(`review    ${id} unjustified (glass)`)
})
