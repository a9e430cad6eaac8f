import { expect, test } from 'vitest'
import { ana, insightAgent, omar, sessionRow, testWorld } from '../services.fixture.ts'
import { createControl } from '../create-control.ts'
import type { EventRow } from '../../recording/ports.ts'

const STATEMENT: EventRow = {
  n: 2,
  at: new Date('2026-01-01T00:00:01Z'),
  event: {
    kind: 'statement',
    text: 'SELECT 1 FROM customers',
    decision: {
      effect: 'permit',
      policies: ['reads', 'was-there-once'],
      operations: ['select public.customers'],
    },
  },
}
const RESULT: EventRow = {
  n: 3,
  at: new Date('2026-01-01T00:00:01Z'),
  event: { kind: 'result', of: 2, tag: 'SELECT 1', rows: 1, bytes: 20, micros: 100 },
}

async function send(method: 'GET' | 'POST', url: string, token: string, body?: object) {
  const world = testWorld()
  world.sessions.push(sessionRow('ses_1', insightAgent), sessionRow('ses_2', omar))
  world.events.push(STATEMENT, RESULT)
  const app = createControl(world.services)
  const answer = await app.inject({
    method,
    url,
    headers: { authorization: `Bearer token-${token}`, host: 'gateway.test' },
    ...(body === undefined ? {} : { payload: body }),
  })
  await app.close()
  return { status: answer.statusCode, body: answer.json(), audited: world.audited }
}

const SIMULATE = '/api/v1/policy/simulate'

test('everybody may ask what would be decided for them', async () => {
  const { status, body } = await send('POST', SIMULATE, ana.id, { target: 'shop', sql: 'SELECT 1' })
  expect([status, body]).toMatchObject([
    200,
    {
      decision: 'permit',
      policies: [
        { id: 'reads', effect: 'permit', file: 'p.cedar', line: 1, text: expect.stringContaining('permit') },
      ],
      operations: [{ action: 'select', on: 'public.customers', decision: 'permit', policies: ['reads'] }],
      functions: [{ name: 'now', volatility: 'stable', harmless: true }],
      facts: { hasWhere: true, readOnly: true },
      masks: [],
    },
  ])
})

test.each([
  ['for somebody else', ana.id, { target: 'shop', as: { kind: 'user', id: 'omar' } }, 403],
  ['for a target that is closed to them', ana.id, { target: 'vault' }, 403],
  ['for a target that is not there', ana.id, { target: 'shpo' }, 404],
])('%s, only an administrator may', async (_, who, request, status) => {
  expect((await send('POST', SIMULATE, who, { sql: 'SELECT 1', ...request })).status).toBe(status)
})

test('an administrator asks for anybody', async () => {
  const as = { kind: 'agent', id: 'bot', groups: ['x'], actingFor: { kind: 'user', id: 'omar' } }
  const { status, body } = await send('POST', SIMULATE, 'dora', { target: 'vault', sql: 'SELECT 1', as })
  expect([status, body]).toMatchObject([
    200,
    {
      decision: 'deny',
      reason: expect.stringContaining('bot acting for omar'),
      code: 'ACCESS_POLICY_DENIED',
    },
  ])
})

test.each(['ses_1.2', 'ses_1.3'])(
  '%s is explained to the person behind the agent, with the policies',
  async (id) => {
    const { status, body } = await send('GET', `/api/v1/policy/decisions/${id}`, ana.id)
    expect([status, body]).toEqual([
      200,
      {
        id: 'ses_1.2',
        at: '2026-01-01T00:00:01.000Z',
        session: 'ses_1',
        principal: 'insight-agent',
        actingFor: 'ana',
        target: 'shop',
        text: 'SELECT 1 FROM customers',
        effect: 'permit',
        operations: ['select public.customers'],
        policies: [expect.objectContaining({ id: 'reads', file: 'p.cedar', line: 1 })],
        gone: ['was-there-once'],
      },
    ])
  },
)

test.each([
  ['ses_2.2', ana.id, 404],
  ['ses_2.2', 'dora', 200],
  ['ses_1.9', ana.id, 404],
  ['ses_1', ana.id, 404],
  ['ses_1.x', ana.id, 404],
])('decision %s asked for by %s: %i', async (id, who, status) => {
  expect((await send('GET', `/api/v1/policy/decisions/${id}`, who)).status).toBe(status)
})

test('files are looked over for those who may apply them', async () => {
  const files = [
    {
      path: 'p.cedar',
      text: '@id("p") permit (principal, action == Action::"select", resource == Table::"shpo/public.t");',
    },
  ]
  const { status, body } = await send('POST', '/api/v1/policy/lint', 'dora', { files })
  expect([status, body]).toMatchObject([200, { findings: [{ file: 'p.cedar', line: 1 }], catalogs: [] }])
  expect((await send('POST', '/api/v1/policy/lint', ana.id, { files })).status).toBe(403)
})
