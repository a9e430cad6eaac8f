import { ApiError, createClient } from '@sallyport/api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createControl } from './create-control.ts'
import { ana, sessionRow, testWorld } from './services.fixture.ts'

const world = testWorld()
const app = createControl(world.services)
let url = ''

beforeAll(async () => {
  world.sessions.push(sessionRow('ses_1', ana))
  url = await app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => app.close())

const clientOf = (id: string) => createClient({ url, token: () => `token-${id}` })

async function failureOf(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof ApiError) return error
  throw new Error('it did not fail with an ApiError', { cause: error })
}

test('the client reads what the server answers', async () => {
  const client = clientOf('ana')
  expect(await client.whoami()).toMatchObject({ id: 'ana' })
  expect(await client.targets.list()).toMatchObject({ targets: [{ name: 'shop' }] })
  expect(await client.targets.get('shop')).toMatchObject({ name: 'shop' })
  const ticket = await client.tickets.issue({ target: 'shop', ttl: '5m' })
  expect(ticket.connection.env['PGPASSWORD']).toBe(ticket.ticket)
  expect(await client.tickets.revoke(ticket.id)).toBeUndefined()
  expect(await client.sessions.list({ live: true, limit: 5 })).toMatchObject({ sessions: [{ id: 'ses_1' }] })
  expect(await client.sessions.list({ live: false })).toEqual({ sessions: [] })
  expect(await client.sessions.get('ses_1')).toMatchObject({ target: 'shop' })
  expect(await client.sessions.events('ses_1')).toEqual({ events: [] })
  expect(await client.sessions.kill('ses_1')).toBeUndefined()
})

test('the client administers', async () => {
  const client = clientOf('dora')
  expect(await client.leases.list({ state: 'issued' })).toEqual({ leases: [] })
  expect(await client.resources.apply({ expected: 0, files: [] })).toEqual({ version: 1 })
  expect(await client.resources.current()).toEqual({ version: 1, files: [] })
})

test('a refusal is an ApiError with the problem', async () => {
  const error = await failureOf(clientOf('ana').leases.list())
  expect(error.message).toBe('viewLeases is not permitted')
  expect([error.status, error.code, error.problem.hint]).toEqual([403, 'ACCESS_POLICY_DENIED', 'ask a dba'])
})

test('an id cannot leave its place in the path', async () => {
  const error = await failureOf(clientOf('ana').sessions.get('../../healthz'))
  expect(error.code).toBe('SESSION_UNKNOWN')
})

test('no answer at all is an ApiError too', async () => {
  const client = createClient({
    url,
    token: () => 'x',
    fetch: () => Promise.reject(new TypeError('fetch failed')),
  })
  expect((await failureOf(client.whoami())).code).toBe('GATEWAY_UNREACHABLE')
})

test.each([
  ['an HTML page', new Response('<html>', { status: 200 })],
  ['an error of a proxy', new Response('Bad Gateway', { status: 502 })],
  ['another shape', Response.json({ id: 1 })],
])('%s is not taken for an answer', async (_, response) => {
  const client = createClient({ url, token: () => 'x', fetch: () => Promise.resolve(response) })
  expect((await failureOf(client.whoami())).code).toBe('GATEWAY_UNKNOWN')
})
