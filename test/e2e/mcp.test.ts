import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import type { TokenWish } from '../harness/test-world.ts'

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway()
})
afterAll(() => world[Symbol.asyncDispose]())

const open: Client[] = []
afterEach(() => Promise.all(open.splice(0).map((client) => client.close())))

const AGENT: TokenWish = { actingFor: 'ana', groups: ['readers', 'writers', 'callers'] }

async function connect(mode: 'legacy' | 'auto', wish = AGENT): Promise<Client> {
  const token = await world.token('insight-agent', wish)
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', world.access.url), { requestInit }))
  open.push(client)
  return client
}

interface Called {
  readonly text: string
  readonly isError: boolean
  readonly answer: Record<string, unknown>
}

async function call(
  client: Client,
  name: string,
  args: Record<string, unknown>,
  _meta: Record<string, unknown> = {},
): Promise<Called> {
  const result = await client.callTool({ name, arguments: args, _meta })
  const text = result.content.map((block) => (block.type === 'text' ? block.text : '')).join('\n')
  return { text, isError: result.isError === true, answer: result.structuredContent as Called['answer'] }
}

const query = (
  client: Client,
  args: Record<string, unknown>,
  meta?: Record<string, unknown>,
): Promise<Called> => call(client, 'query', { target: 'shop', ...args }, meta)

describe.each([
  ['2025-11-25', 'legacy'],
  ['2026-07-28', 'auto'],
] as const)('MCP %s', (generation, mode) => {
  test('lists the targets that the agent may open', async () => {
    const client = await connect(mode)
    expect(client.getNegotiatedProtocolVersion()).toBe(generation)
    const { answer } = await call(client, 'list_targets', {})
    expect(answer).toMatchObject({ targets: [{ name: 'shop' }, { name: 'other' }] })
    const stranger = await connect(mode, { groups: [] })
    expect((await call(stranger, 'list_targets', {})).answer).toMatchObject({ targets: [] })
  })

  test('describes what of a target it may read, and nothing else', async () => {
    const { text } = await call(await connect(mode), 'describe_target', { target: 'shop', schema: 'public' })
    expect(text).toContain('table public.customers (id integer not null, name text not null')
    expect(text).toContain('view public.cities')
    expect(text).not.toContain('secrets')
  })

  test('runs a query with a credential that can do what this one needs, and nothing else', async () => {
    const client = await connect(mode)
    const can = (what: string) => `has_table_privilege('${what}', 'SELECT')`
    const { answer } = await query(client, {
      sql: `SELECT count(id) AS n, ${can('customers')} AS whole, has_column_privilege('customers', 'id', 'SELECT') AS id,
        ${can('kinds')} AS kinds, has_table_privilege('notes', 'INSERT') AS notes FROM customers`,
    })
    expect(answer).toMatchObject({ rows: [[expect.anything(), false, true, false, false]] })
    const inserted = await query(client, {
      sql: `INSERT INTO notes (id, text) VALUES ($1, 'from an agent')
        RETURNING ${can('customers')} AS reads, ${can('notes')} AS whole`,
      params: [mode === 'auto' ? 101 : 102],
    })
    expect(inserted.answer).toMatchObject({ rows: [[false, false]] })
    const session = await world.access.connect('ana', AGENT)
    const { rows } = await session.query(`SELECT ${can('customers')} AS customers, ${can('kinds')} AS kinds`)
    expect(rows).toEqual([{ customers: true, kinds: true }])
    await session.end()
  })

  test('queries with parameters, in a session that is on record', async () => {
    const client = await connect(mode)
    const { answer, text } = await query(client, {
      sql: 'SELECT id, name, city FROM customers WHERE id = $1 OR name = $2 ORDER BY id',
      params: [3, 'Customer 4'],
      purpose: 'an end-to-end test',
    })
    expect(answer).toMatchObject({
      decision: { effect: 'permit' },
      columns: [
        { name: 'id', type: 'int4' },
        { name: 'name', type: 'text' },
        { name: 'city', type: 'text' },
      ],
      rows: [
        [3, 'Customer 3', null],
        [4, 'Customer 4', 'Ghent'],
      ],
      rowCount: 2,
      truncated: false,
    })
    expect(text).toMatch(/^2 rows\n/)
    const api = await world.access.api('insight-agent', AGENT)
    const session = await api.sessions.get(String(answer['sessionId']))
    expect(session).toMatchObject({
      via: 'mcp',
      purpose: 'an end-to-end test',
      principal: { kind: 'agent', id: 'insight-agent', actingFor: { kind: 'user', id: 'ana' } },
    })
  })

  test("a session says which of the model's tool calls caused it", async () => {
    const meta = { 'claudecode/toolUseId': `toolu_${mode}` }
    const { answer } = await query(await connect(mode), { sql: 'SELECT 1' }, meta)
    const api = await world.access.api('insight-agent', AGENT)
    expect(await api.sessions.get(String(answer['sessionId']))).toMatchObject({ toolUseId: `toolu_${mode}` })
  })

  test('cuts rows off and says so', async () => {
    const client = await connect(mode)
    const { answer, text } = await query(client, { sql: 'SELECT id FROM customers ORDER BY id', maxRows: 7 })
    expect(answer).toMatchObject({ rowCount: 7, truncated: true, rows: [[1], [2], [3], [4], [5], [6], [7]] })
    expect(text).toContain('TRUNCATED: there are more rows')
    const exact = await query(client, { sql: 'SELECT id FROM customers WHERE id <= 7', maxRows: 7 })
    expect(exact.answer).toMatchObject({ rowCount: 7, truncated: false })
  })

  test('cuts bytes off and says so', async () => {
    const { answer, text } = await query(await connect(mode), {
      sql: "SELECT repeat('x', 400) AS x FROM customers",
      maxBytes: 1000,
    })
    expect(answer).toMatchObject({ truncated: true })
    expect((answer['rows'] as unknown[]).length).toBeLessThanOrEqual(3)
    expect(text).toContain('TRUNCATED')
  })

  test('a denial names the policy and what to do instead', async () => {
    const { answer, text, isError } = await query(await connect(mode), { sql: 'DROP TABLE customers' })
    expect(isError).toBe(true)
    expect(answer).toMatchObject({
      decision: { effect: 'deny', policies: ['structure-is-fixed'], hint: 'propose a migration instead' },
    })
    expect(text).toContain('structure-is-fixed')
    expect(text).toContain('propose a migration instead')
  })

  test("the target's own errors are the model's to read", async () => {
    const { text, isError, answer } = await query(await connect(mode), { sql: 'SELECT nope FROM customers' })
    expect(isError).toBe(true)
    expect(text).toContain('column "nope" does not exist')
    expect(answer).toMatchObject({ error: { message: expect.stringContaining('nope') } })
  })

  test('writes, where policy permits it', async () => {
    const client = await connect(mode)
    const { answer } = await query(client, {
      sql: 'INSERT INTO notes (id, text) VALUES ($1, $2)',
      params: [mode === 'auto' ? 1 : 2, 'from a tool'],
    })
    expect(answer).toMatchObject({ rowCount: 1, columns: [] })
  })
})

test.each([
  ['no token', undefined],
  ['a token that is none', 'Bearer nonsense'],
  ['a token of another key', 'Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA'],
])('%s: 401 and how to get one', async (_, authorization) => {
  const response = await fetch(new URL('/mcp', world.access.url), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
  })
  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/)
})
