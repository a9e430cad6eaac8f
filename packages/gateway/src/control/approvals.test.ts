import { type ApiError, type ApprovalGrant, createClient } from '@sallyport/api'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { asked, person as personWith, statement } from '../approvals/approval.fixture.ts'
import type { WaitingApproval } from '../approvals/approvals.ts'
import type { ApprovalAsked } from '../approvals/ports.ts'
import { createControl } from './create-control.ts'
import { ana, insightAgent, omar, type TestWorld, testWorld } from './services.fixture.ts'

let world: TestWorld
let app: FastifyInstance
let url: string
beforeEach(async () => {
  world = testWorld()
  app = createControl(world.services)
  url = await app.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(() => app.close())

const as = (id: string) => createClient({ url, token: () => `token-${id}` }).approvals
const reason = 'looked at it'

async function ask(changed: Partial<ApprovalAsked> = {}): Promise<WaitingApproval> {
  return await world.approvals.request(asked({ principal: insightAgent, ...changed }))
}

const refusal = (code: string, status: number): unknown =>
  expect.objectContaining({ status, problem: expect.objectContaining({ code }) })

test('an approver sees the whole picture, and what they say is done', async () => {
  const waiting = await ask({
    statement: statement({
      text: 'DELETE FROM orders WHERE id = $1 -- \u202E1 = di',
      parameters: [{ format: 1, type: 23, value: Buffer.from([0, 0, 0, 7]) }],
    }),
    reported: { purpose: 'tidy\u200B up', prompt: 'please tidy up' },
  })
  await world.approvals.preview(waiting.id, { rows: 1 })
  expect(await as('bo').list()).toMatchObject({
    approvals: [
      { id: waiting.id, yours: true, operations: ['update public.orders'], purpose: 'tidy⟨U+200B⟩ up' },
    ],
  })
  expect(await as('bo').get(waiting.id)).toMatchObject({
    principal: { kind: 'agent', id: 'insight-agent', actingFor: { kind: 'user', id: 'ana' } },
    statement: {
      text: 'DELETE FROM orders WHERE id = $1 -- \u202E1 = di',
      visible: 'DELETE FROM orders WHERE id = $1 -- ⟨U+202E⟩1 = di',
      formatted: expect.stringContaining('DELETE FROM orders\nWHERE'),
      warnings: expect.arrayContaining(['1 invisible or reordering character']),
      parameters: [{ number: 1, type: 'integer', format: 'binary', text: '7', bytes: '00000007' }],
    },
    reported: { purpose: 'tidy⟨U+200B⟩ up', prompt: 'please tidy up' },
    preview: { rows: 1 },
    rules: [{ policy: 'writes-need-people', approvers: ['dba'], quorum: 1, missing: 1 }],
    similar: { total: 0 },
  })
  expect(await as('bo').approve(waiting.id, { reason, surface: 'cli' })).toMatchObject({
    state: 'granted',
    yours: false,
    decisions: [{ person: 'bo', groups: ['dba'], verdict: 'approve', reason, surface: 'cli' }],
  })
  expect((await waiting.outcome).state).toBe('granted')
})

test('a denial says why, to the one who asked too', async () => {
  const { id } = await ask()
  await as('bo').deny(id, { reason: 'too wide' })
  expect(await as('ana').get(id)).toMatchObject({ state: 'denied', closedBecause: 'bo denied it: too wide' })
})

test('the second decision is a conflict: 409', async () => {
  const { id } = await ask()
  await as('bo').approve(id, { reason })
  await expect(as('bo').approve(id, { reason })).rejects.toEqual(refusal('APPROVAL_DECIDED', 409))
  await expect(as('bo').deny(id, { reason })).rejects.toEqual(refusal('APPROVAL_DECIDED', 409))
})

describe('who', () => {
  test.each(['insight-agent', 'cron'])('%s gets no answer anywhere', async (id) => {
    const waiting = await ask()
    const client = as(id)
    const calls = [
      client.list(),
      client.get(waiting.id),
      client.approve(waiting.id, { reason }),
      client.deny(waiting.id, { reason }),
      client.revoke(waiting.id, { reason }),
      client.watch(),
    ]
    await Promise.all(calls.map((call) => expect(call).rejects.toEqual(refusal('ACCESS_POLICY_DENIED', 403))))
    expect(world.audited.filter(({ type }) => type === 'access.denied')).toHaveLength(6)
    expect((await world.approvals.get(waiting.id))?.decisions).toEqual([])
  })

  test('a ticket opens none of it', async () => {
    await expect(createClient({ url, token: () => 'spt_ticket' }).approvals.list()).rejects.toMatchObject({
      status: 401,
    })
  })

  test('nobody approves what their own agent asks', async () => {
    const { id } = await ask()
    await expect(as('ana').approve(id, { reason })).rejects.toEqual(refusal('APPROVAL_NOT_YOURS', 403))
  })

  test('an administrator sees it, and does not decide', async () => {
    const { id } = await ask()
    expect(await as('dora').get(id)).toMatchObject({ id, yours: false })
    await expect(as('dora').approve(id, { reason })).rejects.toEqual(refusal('APPROVAL_NOT_YOURS', 403))
  })

  test('others do not learn that it is there', async () => {
    const { id } = await ask()
    expect(await as('omar').list()).toEqual({ approvals: [] })
    const calls = [as('omar').get(id), as('omar').approve(id, { reason }), as('omar').get('apr_none')]
    await Promise.all(calls.map((call) => expect(call).rejects.toEqual(refusal('APPROVAL_UNKNOWN', 404))))
  })

  test('"mine" are those that one may decide about and has not', async () => {
    const theirs = await ask()
    await ask({ principal: personWith('bo', ['dba']), statement: statement({ text: 'SELECT 1' }) })
    expect((await as('bo').list({ mine: true })).approvals.map(({ id }) => id)).toEqual([theirs.id])
    expect((await as('bo').list()).approvals).toHaveLength(2)
    await as('bo').approve(theirs.id, { reason })
    expect(await as('bo').list({ mine: true })).toEqual({ approvals: [] })
    expect((await as('bo').list({ state: 'granted' })).approvals).toHaveLength(1)
  })
})

test('a grant is given with bounds, listed and revoked', async () => {
  const { id } = await ask()
  const grant: ApprovalGrant = {
    kind: 'pattern',
    seconds: 600,
    parameters: [{ number: 2, any: true }],
  }
  expect(await as('bo').approve(id, { reason, grant })).toMatchObject({ kind: 'pattern', grant })
  expect((await as('ana').list({ state: 'granted' })).approvals).toMatchObject([{ id, kind: 'pattern' }])
  expect(await as('ana').revoke(id, { reason: 'done' })).toMatchObject({
    state: 'withdrawn',
    closedBecause: 'ana revoked it: done',
  })
})

test.each<[string, object]>([
  ['no reason', {}],
  ['an empty reason', { reason: ' ' }],
  ['a surface that is not its own', { reason, surface: 'slack' }],
  ['a grant without an end', { reason, grant: { kind: 'pattern' } }],
  ['a grant for a year', { reason, grant: { kind: 'pattern', seconds: 31_536_000 } }],
  ['something else', { reason, force: true }],
])('%s is refused: 400', async (_, body) => {
  const { id } = await ask()
  await expect(as('bo').approve(id, body as never)).rejects.toEqual(refusal('REQUEST_INVALID', 400))
})

test('a page of another origin decides nothing', async () => {
  const { id } = await ask()
  const path = `${url}/api/v1/approvals/${id}/approve`
  const authorization = 'Bearer token-bo'
  const json = { authorization, 'content-type': 'application/json' }
  const body = JSON.stringify({ reason })
  const foreign = await fetch(path, {
    method: 'POST',
    headers: { ...json, origin: 'https://evil.test' },
    body,
  })
  const form = await fetch(path, {
    method: 'POST',
    headers: { authorization, 'content-type': 'text/plain' },
    body,
  })
  const byGet = await fetch(path, { headers: { authorization } })
  expect([foreign.status, form.status, byGet.status]).toEqual([403, 415, 405])
  expect((await world.approvals.get(id))?.state).toBe('pending')
})

describe('watching', () => {
  test('tells each watcher what they may see, when it happens', async () => {
    const { cursor } = await as('bo').watch()
    const bo = as('bo').watch({ cursor })
    const omars = as('omar').watch({ cursor, wait: 1 })
    const { id } = await ask()
    expect(await bo).toMatchObject({ events: [{ type: 'requested', approval: { id, yours: true } }] })
    expect(await omars).toMatchObject({ missed: false, events: [] })
    const next = await as('bo').watch({ cursor: (await bo).cursor, wait: 0 })
    expect(next.events).toEqual([])
  })

  test('says that a cursor of another run is worth nothing', async () => {
    expect(await as('bo').watch({ cursor: 'abc.1', wait: 0 })).toMatchObject({ missed: true, events: [] })
    expect(await as('bo').watch({ cursor: 'x', wait: 0 })).toMatchObject({ missed: true })
  })

  test('says that it lost count', async () => {
    const { cursor } = await as('bo').watch()
    const { id } = await ask({ principal: ana })
    for (let i = 0; i < 2100; i++) await world.approvals.preview(id, { i })
    expect(await as('bo').watch({ cursor, wait: 0 })).toMatchObject({ missed: true, events: [] })
  })
})

test('a list goes on past what the caller may not see', async () => {
  const first = await ask({ statement: statement({ text: 'SELECT 1' }) })
  const closed = {
    policies: ['x'],
    rules: [{ policy: 'x', approvers: ['cfo'], quorum: 1, ttlSeconds: 900 }],
    reason: 'x',
  }
  for (let i = 0; i < 49; i++) {
    await ask({ principal: omar, need: closed, statement: statement({ text: `SELECT ${i + 2}` }) })
  }
  expect((await as('bo').list({ limit: 1 })).approvals.map(({ id }) => id)).toEqual([first.id])
  const error = (await as('bo')
    .get('x')
    .catch((thrown: unknown) => thrown)) as ApiError
  expect(error.code).toBe('APPROVAL_UNKNOWN')
})
