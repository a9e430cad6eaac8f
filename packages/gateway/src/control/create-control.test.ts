import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { Problem } from '@sallyport/api'
import type { InjectOptions } from 'fastify'
import { expect, test } from 'vitest'
import { ResourcesInvalid } from '../policy/resource-problem.ts'
import { createControl } from './create-control.ts'
import {
  ana,
  insightAgent,
  insightAgentForOmar,
  omar,
  sessionRow,
  type TestWorld,
  testWorld,
} from './services.fixture.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH'

async function call(
  world: TestWorld,
  method: Method,
  url: string,
  { as, ...rest }: { as?: string; payload?: object | string; headers?: Record<string, string> } = {},
) {
  const app = createControl(world.services)
  const authorization = as === undefined ? {} : { authorization: `Bearer token-${as}` }
  const options: InjectOptions = {
    method,
    url,
    ...rest,
    headers: { host: 'gateway.test', ...authorization, ...rest.headers },
  }
  const response = await app.inject(options)
  const json: unknown = response.headers['content-type']?.toString().includes('json')
    ? response.json()
    : undefined
  return { status: response.statusCode, headers: response.headers, json, text: response.body }
}

const lease = {
  id: 'lea_1',
  target: 'shop',
  handle: 'sp_0_l_1',
  capability: 'c'.repeat(32),
  state: 'issued',
  sessionId: 'ses_1',
  principal: ana,
  plannedAt: new Date(0),
  issuedAt: new Date(1),
  expiresAt: new Date(2),
  revokedAt: undefined,
  attempts: 0,
  lastError: undefined,
} as const

test('a ticket comes with everything a PostgreSQL client needs, and never in a URL', async () => {
  const world = testWorld()
  const payload = { target: 'shop', purpose: 'monthly report', session: 'abc', ttl: '10m' }
  const { status, json } = await call(world, 'POST', '/api/v1/tickets', { as: 'ana', payload })
  expect(status).toBe(201)
  expect(json).toEqual({
    ticket: 'spt_secret',
    id: 'tkt_1',
    expiresAt: '2026-01-01T00:10:00.000Z',
    connection: {
      url: 'postgres://sallyport@127.0.0.1:7432/shop?sslmode=prefer',
      env: {
        PGHOST: '127.0.0.1',
        PGPORT: '7432',
        PGUSER: 'sallyport',
        PGDATABASE: 'shop',
        PGPASSWORD: 'spt_secret',
        PGSSLMODE: 'prefer',
      },
    },
  })
  expect(world.tickets.get('tkt_1')).toMatchObject({ purpose: 'monthly report', clientSession: 'abc' })
  expect(world.audited.map(({ type }) => type)).toEqual(['ticket.issue'])
})

test.each([
  ['no target', {}, 400],
  ['an unknown member', { target: 'shop', ttl: 60, extra: 1 }, 400],
  ['a ttl that is no time', { target: 'shop', ttl: 'soon' }, 400],
  ['a ttl that is too long', { target: 'shop', ttl: '2h' }, 400],
  ['a target that is not there', { target: 'nowhere' }, 404],
  ['a target that is closed', { target: 'vault' }, 403],
])('no ticket for %s', async (_, payload, status) => {
  const world = testWorld()
  const answer = await call(world, 'POST', '/api/v1/tickets', { as: 'ana', payload })
  expect(answer.status).toBe(status)
  expect(Problem.parse(answer.json).requestId).toMatch(/^req_/)
  expect(world.tickets.size).toBe(0)
})

test.each([
  ['ana', 204],
  ['dora', 204],
  ['omar', 404],
])('%s revokes the ticket of ana: %i', async (as, status) => {
  const world = testWorld()
  await call(world, 'POST', '/api/v1/tickets', { as: 'ana', payload: { target: 'shop' } })
  expect((await call(world, 'DELETE', '/api/v1/tickets/tkt_1', { as })).status).toBe(status)
  expect(world.tickets.size).toBe(status === 204 ? 0 : 1)
})

test('whoami tells how the token was understood', async () => {
  const { json } = await call(testWorld(), 'GET', '/api/v1/whoami', { as: 'insight-agent' })
  expect(json).toMatchObject({ kind: 'agent', id: 'insight-agent', actingFor: { kind: 'user', id: 'ana' } })
})

test('only targets that are open are listed, without address or account', async () => {
  const { json } = await call(testWorld(), 'GET', '/api/v1/targets', { as: 'ana' })
  expect(json).toEqual({
    targets: [{ name: 'shop', protocol: 'postgres', database: 'shop', tags: { env: 'test' } }],
  })
})

test('a denial names its policies and is audited', async () => {
  const world = testWorld()
  const { status, json } = await call(world, 'GET', '/api/v1/targets/vault', { as: 'ana' })
  expect(status).toBe(403)
  expect(json).toMatchObject({ code: 'ACCESS_POLICY_DENIED', policies: ['closed'] })
  expect(world.audited).toMatchObject([{ type: 'access.denied', principal: 'ana', target: 'vault' }])
})

test.each([
  ['ana', ['ses_ana']],
  ['omar', ['ses_omar']],
  ['dora', ['ses_ana', 'ses_omar', 'ses_agent']],
])('%s sees the sessions %j', async (as, expected) => {
  const world = testWorld()
  world.sessions.push(
    sessionRow('ses_ana', ana),
    sessionRow('ses_omar', omar),
    sessionRow('ses_agent', insightAgent),
  )
  const { json } = await call(world, 'GET', '/api/v1/sessions?limit=10', { as })
  expect(json).toMatchObject({ sessions: expected.map((id) => ({ id })) })
})

test.each([
  ['an own session', 'ses_ana', 200],
  ['what an agent did for one', 'ses_agent', 200],
  ['a session of somebody else', 'ses_omar', 404],
  ['no session', 'ses_none', 404],
])('ana looks at %s', async (_, id, status) => {
  const world = testWorld()
  world.sessions.push(
    sessionRow('ses_ana', ana),
    sessionRow('ses_omar', omar),
    sessionRow('ses_agent', insightAgent),
  )
  expect((await call(world, 'GET', `/api/v1/sessions/${id}`, { as: 'ana' })).status).toBe(status)
})

test('an agent does not see for one person what it did for another', async () => {
  const world = testWorld()
  world.sessions.push(
    sessionRow('ses_for_ana', insightAgent),
    sessionRow('ses_for_omar', insightAgentForOmar),
  )
  const { json } = await call(world, 'GET', '/api/v1/sessions?limit=10', { as: 'insight-agent' })
  expect(json).toMatchObject({ sessions: [{ id: 'ses_for_ana' }] })
  expect((await call(world, 'GET', '/api/v1/sessions/ses_for_omar', { as: 'insight-agent' })).status).toBe(
    404,
  )
  const kill = '/api/v1/sessions/ses_for_omar/kill'
  expect((await call(world, 'POST', kill, { as: 'insight-agent' })).status).toBe(404)
  expect(world.killed).toEqual([])
})

test('events come in pages, statements with the id of their decision', async () => {
  const world = testWorld()
  world.sessions.push(sessionRow('ses_1', ana))
  const decision = { effect: 'permit', policies: ['read'], operations: ['select public.customers'] } as const
  world.events.push(
    { n: 0, at: new Date(0), event: { kind: 'statement', text: 'select 1', decision } },
    {
      n: 1,
      at: new Date(1),
      event: {
        kind: 'result',
        of: 0,
        tag: 'SELECT 1',
        rows: 1,
        bytes: 9,
        micros: 5,
        masked: [{ column: 'b', dataClass: 'pii', method: 'null', values: 2 }],
      },
    },
    { n: 2, at: new Date(2), event: { kind: 'end', reason: 'client' } },
  )
  const first = await call(world, 'GET', '/api/v1/sessions/ses_1/events?limit=2', { as: 'ana' })
  expect(first.json).toMatchObject({
    events: [
      { decision: { id: 'ses_1.0' } },
      { tag: 'SELECT 1', masked: [{ column: 'b', class: 'pii', method: 'null', values: 2 }] },
    ],
    next: 2,
  })
  const last = await call(world, 'GET', '/api/v1/sessions/ses_1/events?from=2&limit=2', { as: 'ana' })
  expect(last.json).toEqual({
    events: [{ n: 2, at: '1970-01-01T00:00:00.002Z', kind: 'end', reason: 'client' }],
  })
})

test('a kill is audited and says who and why', async () => {
  const world = testWorld()
  world.sessions.push(sessionRow('ses_1', ana))
  const payload = { reason: 'runaway' }
  expect((await call(world, 'POST', '/api/v1/sessions/ses_1/kill', { as: 'dora', payload })).status).toBe(204)
  expect(world.killed).toEqual([['ses_1', 'killed by dora: runaway']])
  expect(world.audited).toMatchObject([{ type: 'session.kill', principal: 'dora', sessionId: 'ses_1' }])
})

test('a session that has ended cannot be killed', async () => {
  const world = testWorld()
  world.sessions.push(sessionRow('ses_1', ana, { endedAt: new Date(1) }))
  const { status, json } = await call(world, 'POST', '/api/v1/sessions/ses_1/kill', { as: 'ana' })
  expect([status, Problem.parse(json).code]).toEqual([409, 'SESSION_ENDED'])
})

test('nobody kills the session of another without leave', async () => {
  const world = testWorld()
  world.sessions.push(sessionRow('ses_1', ana))
  expect((await call(world, 'POST', '/api/v1/sessions/ses_1/kill', { as: 'omar' })).status).toBe(404)
  expect(world.killed).toEqual([])
})

test('leases are for administrators', async () => {
  const world = testWorld()
  world.leases.push(lease)
  expect((await call(world, 'GET', '/api/v1/leases', { as: 'ana' })).status).toBe(403)
  expect((await call(world, 'POST', '/api/v1/leases/lea_1/revoke', { as: 'ana' })).status).toBe(403)
  expect((await call(world, 'GET', '/api/v1/leases', { as: 'dora' })).json).toMatchObject({
    leases: [{ id: 'lea_1', session: 'ses_1', expiresAt: '1970-01-01T00:00:00.002Z' }],
  })
  expect((await call(world, 'POST', '/api/v1/leases/lea_1/revoke', { as: 'dora' })).status).toBe(204)
  expect((await call(world, 'POST', '/api/v1/leases/lea_2/revoke', { as: 'dora' })).status).toBe(404)
  expect(world.revoked).toEqual(['lea_1'])
})

test('resources are replaced as a whole, and only from the version that was read', async () => {
  const world = testWorld()
  const files = [{ path: 'policies/a.cedar', text: '' }]
  const put = (expected: number) =>
    call(world, 'PUT', '/api/v1/resources', { as: 'dora', payload: { expected, files } })
  expect((await call(world, 'GET', '/api/v1/resources', { as: 'dora' })).json).toEqual({
    version: 0,
    files: [],
  })
  expect((await put(0)).json).toEqual({ version: 1 })
  const conflict = await put(0)
  expect([conflict.status, Problem.parse(conflict.json).code]).toEqual([409, 'RESOURCE_CONFLICT'])
  expect(
    (await call(world, 'PUT', '/api/v1/resources', { as: 'ana', payload: { expected: 1, files } })).status,
  ).toBe(403)
})

test.each(['/etc/passwd.yaml', '../a.yaml', 'a/../b.cedar', './a.yaml', 'a.txt', 'a\\b.yaml'])(
  'a resource file cannot be called %s',
  async (path) => {
    const payload = { expected: 0, files: [{ path, text: '' }] }
    expect((await call(testWorld(), 'PUT', '/api/v1/resources', { as: 'dora', payload })).status).toBe(400)
  },
)

test('resources that are wrong are refused with every place', async () => {
  const world = testWorld()
  const problem = { path: 'a.cedar', line: 2, column: 5, message: 'unexpected token' }
  const services = {
    ...world.services,
    resources: {
      ...world.services.resources,
      apply: async () => {
        throw new ResourcesInvalid([problem])
      },
    },
  }
  const payload = { expected: 0, files: [{ path: 'a.cedar', text: 'x' }] }
  const answer = await call({ ...world, services }, 'PUT', '/api/v1/resources', { as: 'dora', payload })
  expect(answer.status).toBe(422)
  expect(answer.json).toMatchObject({
    code: 'RESOURCE_INVALID',
    errors: [{ file: 'a.cedar', line: 2, column: 5, message: 'unexpected token' }],
  })
})

test.each([
  ['no token', {}, 'Bearer realm="sallyport"', 'AUTH_REQUIRED'],
  ['another scheme', { authorization: 'Basic YTpi' }, 'Bearer realm="sallyport"', 'AUTH_REQUIRED'],
  [
    'a wrong token',
    { authorization: 'Bearer nonsense' },
    'Bearer realm="sallyport", error="invalid_token", error_description="the token is not valid"',
    'AUTH_TOKEN_INVALID',
  ],
  [
    'an old token',
    { authorization: 'Bearer expired' },
    'Bearer realm="sallyport", error="invalid_token", error_description="the token has ?expired?"',
    'AUTH_TOKEN_EXPIRED',
  ],
])('%s is a 401 with a challenge', async (_, headers, challenge, code) => {
  for (const [method, url] of [
    ['GET', '/api/v1/whoami'],
    ['POST', '/mcp'],
  ] as const) {
    const answer = await call(testWorld(), method, url, {
      headers,
      ...(method === 'POST' ? { payload: {} } : {}),
    })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe(challenge)
    expect(Problem.parse(answer.json).code).toBe(code)
  }
})

test.each(['PUT /api/v1/resources', 'POST /api/v1/tickets', 'POST /mcp'])(
  'without a token, %s is answered before its body has come',
  async (line) => {
    const app = createControl(testWorld().services)
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1')
    const head = `${line} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 50000`
    socket.write(`${head}\r\n\r\n{"files":[`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 401 /)
    socket.destroy()
    await app.close()
  },
)

test('a wrong token is audited', async () => {
  const world = testWorld()
  await call(world, 'GET', '/api/v1/whoami', { headers: { authorization: 'Bearer nonsense' } })
  expect(world.audited).toMatchObject([
    { type: 'authentication.failed', detail: { code: 'AUTH_TOKEN_INVALID' } },
  ])
})

test.each<[string, Method, string, { payload?: object | string; headers?: Record<string, string> }, number]>([
  ['an unknown path', 'GET', '/api/v2/whoami?token=secret', {}, 404],
  ['another method', 'PATCH', '/api/v1/tickets', {}, 405],
  [
    'a body that is no JSON',
    'POST',
    '/api/v1/tickets',
    { payload: '{', headers: { 'content-type': 'application/json' } },
    400,
  ],
  [
    'a body of another type',
    'POST',
    '/api/v1/tickets',
    { payload: '{}', headers: { 'content-type': 'text/plain' } },
    415,
  ],
  ['a body that is too large', 'POST', '/api/v1/tickets', { payload: { target: 'x'.repeat(70_000) } }, 413],
  ['a query that is not valid', 'GET', '/api/v1/sessions?limit=100000', {}, 400],
  ['a path that is no URL', 'GET', '/api/v1/sessions/%zz', {}, 400],
  ['another Host', 'GET', '/healthz', { headers: { host: 'attacker.test' } }, 421],
  ['another Origin', 'GET', '/api/v1/whoami', { headers: { origin: 'https://attacker.test' } }, 403],
])('%s is a problem', async (_, method, url, rest, status) => {
  const answer = await call(testWorld(), method, url, { as: 'ana', ...rest })
  expect(answer.status).toBe(status)
  expect(answer.headers['content-type']).toContain('application/problem+json')
  expect(Problem.parse(answer.json)).toMatchObject({ status, code: 'REQUEST_INVALID' })
  expect(answer.text).not.toContain('secret')
})

test('a method that is not possible is answered with those that are', async () => {
  const { headers } = await call(testWorld(), 'PUT', '/api/v1/sessions')
  expect(headers['allow']).toBe('GET, HEAD')
})

test('a failure of ours shows nothing of its inside, and is logged', async () => {
  const world = testWorld()
  const services = {
    ...world.services,
    sessions: {
      ...world.services.sessions,
      get: async () => {
        throw new Error('connection to postgres://admin:hunter2@db failed')
      },
    },
  }
  const answer = await call({ ...world, services }, 'GET', '/api/v1/sessions/ses_1', { as: 'ana' })
  expect(answer.status).toBe(500)
  expect(answer.json).toMatchObject({ code: 'INTERNAL' })
  expect(answer.text).not.toContain('hunter2')
  expect(world.logged).toEqual(['a request failed'])
})

test('every answer tells its request id and forbids browsers to keep or use it', async () => {
  const { headers } = await call(testWorld(), 'GET', '/healthz')
  expect(headers).toMatchObject({
    'x-request-id': expect.stringMatching(/^req_[0-9a-f]{20}$/),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  expect(headers).not.toHaveProperty('access-control-allow-origin')
})

test('the gateway is ready when the store, the journal and the policies are', async () => {
  const { status, json } = await call(testWorld(), 'GET', '/readyz')
  expect([status, json]).toEqual([
    200,
    { status: 'ok', checks: { store: 'ok', journal: 'ok', policy: 'ok' } },
  ])
})

test('what is not ready is named, without its inside', async () => {
  const health = {
    store: () => Promise.reject(new Error('password=hunter2')),
    journal: () => undefined,
    policy: () => undefined,
  }
  const { status, json, text } = await call(testWorld({ health }), 'GET', '/readyz')
  expect(status).toBe(503)
  expect(Problem.parse(json).checks).toEqual({ store: 'failed', journal: 'ok', policy: 'ok' })
  expect(text).not.toContain('hunter2')
})

test('metrics are in the text format of Prometheus', async () => {
  const { headers, text } = await call(testWorld(), 'GET', '/metrics')
  expect(headers['content-type']).toContain('text/plain')
  expect(text).toContain('sallyport_build_info')
})
