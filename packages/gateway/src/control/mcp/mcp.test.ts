import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startTargetPostgres, type TargetPostgres } from '../../../../../test/harness/postgres.ts'
import { AccessDenied } from '../../access/errors.ts'
import { createControl } from '../create-control.ts'
import { testWorld } from '../services.fixture.ts'
import type { ControlServices, InProcessSession, SessionRequest } from '../services.ts'
import { QueryAnswer } from './query-answer.ts'

let postgres: TargetPostgres
beforeAll(async () => {
  // Without the gateway's revocation behind it, the server itself has to notice that a client is gone.
  postgres = await startTargetPostgres({ settings: ['client_connection_check_interval=50ms'] })
  const client = await postgres.client()
  await client.query(`create table customers (id int primary key, email text, balance numeric, big int8, at timestamptz,
    photo bytea, profile jsonb, vip bool, score float8)`)
  await client.query(`insert into customers select n, 'c' || n || '@example.com', n + 0.10, 9007199254740993,
    '2026-01-01T00:00:00Z', '\\xdeadbeef', '{"tags": ["a"]}', n % 2 = 0, 1.5 from generate_series(1, 500) n`)
  await client.query(`create table orders (id int, customer int references customers deferrable initially deferred);
    create table notes (id int)`)
})
afterAll(() => postgres.stop())

/** What the session says that it masked: twice, as when a portal was run on twice. */
const MASKED = [1, 2].map((values) => ({
  column: 'email',
  dataClass: 'pii.email',
  method: 'partial',
  values,
}))

const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

/** A control server whose sessions are plain connections to the test's PostgreSQL, without the gateway in between. */
async function start(
  changed: Partial<ControlServices> = {},
): Promise<{ url: string; requests: SessionRequest[] }> {
  const requests: SessionRequest[] = []
  const { services } = testWorld()
  const app = createControl({
    ...services,
    openSession: async (asked) => {
      requests.push(asked)
      const stream = connect({ host: postgres.host, port: postgres.port })
      await once(stream, 'connect')
      const { user, database, password } = postgres
      return {
        stream,
        user,
        database,
        password,
        sessionId: () => 'ses_test',
        masked: () => (asked.purpose === 'a test' ? MASKED : []),
      }
    },
    ...changed,
  })
  open.push(app)
  return { url: await app.listen({ host: '127.0.0.1', port: 0 }), requests }
}

type Mode = 'legacy' | 'auto'
const GENERATIONS: readonly (readonly [string, Mode])[] = [
  ['2025-11-25', 'legacy'],
  ['2026-07-28', 'auto'],
]

async function clientOf(url: string, mode: Mode): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  const headers = {
    authorization: 'Bearer token-insight-agent',
    'x-agent-session': 'agent-session-1',
    'user-agent': 'test-agent/1.0',
  }
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers } }))
  open.push(client)
  return client
}

async function query(client: Client, args: Record<string, unknown>, meta?: Record<string, unknown>) {
  const result = await client.callTool({
    name: 'query',
    arguments: { target: 'shop', ...args },
    ...(meta === undefined ? {} : { _meta: meta }),
  })
  const [block] = result.content
  const text = block?.type === 'text' ? block.text : ''
  return { text, isError: result.isError === true, answer: QueryAnswer.parse(result.structuredContent) }
}

/** Resolves when no statement like this runs on the test's PostgreSQL. */
async function gone(marker: string): Promise<void> {
  const client = await postgres.client()
  const sql = 'select 1 from pg_stat_activity where query like $1 and pid <> pg_backend_pid() and state = $2'
  while ((await client.query(sql, [`%${marker}%`, 'active'])).rowCount !== 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function running(marker: string): Promise<void> {
  const client = await postgres.client()
  const sql = 'select 1 from pg_stat_activity where query like $1 and pid <> pg_backend_pid() and state = $2'
  while ((await client.query(sql, [`%${marker}%`, 'active'])).rowCount === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe.each(GENERATIONS)('MCP %s', (generation, mode) => {
  test('the generation is the one that was asked for', async () => {
    const client = await clientOf((await start()).url, mode)
    expect(client.getNegotiatedProtocolVersion()).toBe(generation)
  })

  test('the tools are there, are loaded at once, and say what they do', async () => {
    const client = await clientOf((await start()).url, mode)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual([
      'list_targets',
      'describe_target',
      'query',
      'check_approval',
    ])
    expect(tools.map(({ _meta }) => _meta?.['anthropic/alwaysLoad'])).toEqual([true, true, true, true])
    expect(tools.map(({ annotations }) => annotations?.readOnlyHint)).toEqual([true, true, false, true])
    expect(tools.every(({ outputSchema }) => outputSchema !== undefined)).toBe(true)
  })

  test('open targets are listed and described', async () => {
    const client = await clientOf((await start()).url, mode)
    const listed = await client.callTool({ name: 'list_targets', arguments: {} })
    expect(listed.structuredContent).toMatchObject({ targets: [{ name: 'shop' }] })
    const described = await client.callTool({ name: 'describe_target', arguments: { target: 'shop' } })
    expect(described.content).toEqual([
      { type: 'text', text: 'table public.customers (id integer not null)' },
    ])
    expect(described.structuredContent).toMatchObject({
      relations: [{ name: 'customers' }],
      truncated: false,
    })
  })

  test('a closed target is refused with the policy', async () => {
    const client = await clientOf((await start()).url, mode)
    const result = await client.callTool({ name: 'describe_target', arguments: { target: 'vault' } })
    expect(result.isError).toBe(true)
    expect(result.content).toMatchObject([
      { text: expect.stringMatching(/DENIED[^]*policy: closed[^]*Do not retry/) },
    ])
  })

  test('a query returns values without losing any of them', async () => {
    const { url, requests } = await start()
    const client = await clientOf(url, mode)
    const args = { sql: 'select * from customers where id = $1', params: [2], purpose: 'a test' }
    const { answer, text } = await query(client, args, { 'claudecode/toolUseId': 'toolu_1' })
    expect(answer).toEqual({
      decision: { effect: 'permit' },
      columns: [
        { name: 'id', type: 'int4' },
        { name: 'email', type: 'text' },
        { name: 'balance', type: 'numeric' },
        { name: 'big', type: 'int8' },
        { name: 'at', type: 'timestamptz' },
        { name: 'photo', type: 'bytea' },
        { name: 'profile', type: 'jsonb' },
        { name: 'vip', type: 'bool' },
        { name: 'score', type: 'float8' },
      ],
      rows: [
        [
          2,
          'c2@example.com',
          '2.10',
          '9007199254740993',
          expect.stringContaining('2026'),
          '\\xdeadbeef',
          { tags: ['a'] },
          true,
          1.5,
        ],
      ],
      rowCount: 1,
      truncated: false,
      masked: [{ column: 'email', class: 'pii.email', method: 'partial' }],
      sessionId: 'ses_test',
      requestId: expect.stringMatching(/^req_/),
    })
    expect(text).toMatch(
      /^1 row\n\["id",.*\]\n\[2,"c2@example.com",.*\]\nMASKED: the values of email \(pii\.email, partial\) are/,
    )
    expect(requests).toMatchObject([
      {
        principal: { id: 'insight-agent', actingFor: { id: 'ana' } },
        purpose: 'a test',
        clientName: 'test-agent/1.0',
        clientSession: 'agent-session-1',
        toolUseId: 'toolu_1',
      },
    ])
  })

  test('a cancelled call ends its session', async () => {
    const client = await clientOf((await start()).url, mode)
    const controller = new AbortController()
    const marker = `cancelled_${mode}`
    const call = client.callTool(
      { name: 'query', arguments: { target: 'shop', sql: `select pg_sleep(60) as ${marker}` } },
      { signal: controller.signal },
    )
    const outcome = call.then(
      () => 'answered',
      () => 'cancelled',
    )
    await running(marker)
    controller.abort()
    expect(await outcome).toBe('cancelled')
    await gone(marker)
  })

  test('while a query runs, progress is reported', async () => {
    const { services } = testWorld()
    const { url } = await start({ settings: { ...services.settings, progressMs: 20 } })
    const client = await clientOf(url, mode)
    let reports = 0
    const controller = new AbortController()
    const call = client
      .callTool(
        { name: 'query', arguments: { target: 'shop', sql: 'select pg_sleep(60)' } },
        { signal: controller.signal, onprogress: () => (++reports === 3 ? controller.abort() : undefined) },
      )
      .catch(() => undefined)
    await call
    expect(reports).toBeGreaterThanOrEqual(3)
  })
})

describe('the query tool on an in-process stream', () => {
  const sockets: Socket[] = []
  afterEach(() => sockets.splice(0).forEach((socket) => socket.destroy()))

  /** As the gateway does it: the stream's other end is somebody's who may drop it. */
  async function inProcess(): Promise<Client> {
    const openSession = async (): Promise<InProcessSession> => {
      const { host, port, user, database, password } = postgres
      const [stream, other] = duplexPair()
      const socket = connect({ host, port })
      sockets.push(socket)
      await once(socket, 'connect')
      socket.pipe(other).pipe(socket)
      socket.on('error', () => undefined).on('close', () => other.destroy())
      return { stream, user, database, password, sessionId: () => undefined, masked: () => [] }
    }
    return clientOf((await start({ openSession })).url, 'auto')
  }

  test('answers', async () => {
    const { answer } = await query(await inProcess(), { sql: 'select id from customers', maxRows: 1000 })
    expect(answer).toMatchObject({ rowCount: 500, truncated: false })
  })

  test('says so when the session breaks off', async () => {
    const marker = 'dropped_in_process'
    const answer = query(await inProcess(), { sql: `select pg_sleep(60) as ${marker}` })
    await running(marker)
    for (const socket of sockets) socket.destroy()
    expect((await answer).answer.error).toMatchObject({ code: 'SESSION_ENDED' })
    await gone(marker)
  })

  test('ends the session when the call is cancelled', async () => {
    const client = await inProcess()
    const controller = new AbortController()
    const marker = 'cancelled_in_process'
    const args = { target: 'shop', sql: `select pg_sleep(60) as ${marker}` }
    const call = client.callTool({ name: 'query', arguments: args }, { signal: controller.signal })
    const outcome = call.catch(() => 'cancelled')
    await running(marker)
    controller.abort()
    expect(await outcome).toBe('cancelled')
    await gone(marker)
  })
})

describe('the query tool', () => {
  test('returns no more rows than asked for, and says so', async () => {
    const client = await clientOf((await start()).url, 'auto')
    const { answer, text } = await query(client, { sql: 'select id from customers order by id', maxRows: 3 })
    expect(answer).toMatchObject({ rows: [[1], [2], [3]], rowCount: 3, truncated: true })
    expect(text).toContain('TRUNCATED: there are more rows; the limit on rows')
  })

  test.each([
    [500, 500, false],
    [499, 499, true],
    [1000, 500, false],
    [200, 200, true],
  ])('of 500 rows with maxRows %i returns %i, truncated: %s', async (maxRows, rowCount, truncated) => {
    const client = await clientOf((await start()).url, 'auto')
    const { answer } = await query(client, { sql: 'select id from customers', maxRows })
    expect(answer).toMatchObject({ rowCount, truncated })
  })

  test('returns no more bytes than asked for, and says so', async () => {
    const client = await clientOf((await start()).url, 'auto')
    const { answer, text } = await query(client, {
      sql: "select repeat('x', 100) from customers",
      maxBytes: 1000,
    })
    expect(answer).toMatchObject({ rowCount: 9, truncated: true })
    expect(text).toContain('the limit on bytes')
  })

  test('ends a session that floods it, and keeps what came before', async () => {
    const client = await clientOf((await start()).url, 'auto')
    const sql = "select repeat('x', case n when 1 then 1 else 60000000 end) from generate_series(1, 5) n"
    const { answer } = await query(client, { sql })
    expect(answer).toMatchObject({ rows: [['x']], truncated: true })
  })

  test.each<[string, string, (string | number | boolean | null)[], unknown]>([
    ['text', 'select $1::text', ['a'], 'a'],
    ['a number', 'select $1::int', [7], 7],
    ['a boolean', 'select $1::bool', [true], true],
    ['null', 'select $1::int', [null], null],
  ])('takes %s as a parameter', async (_, sql, params, expected) => {
    const client = await clientOf((await start()).url, 'auto')
    expect((await query(client, { sql, params })).answer.rows).toEqual([[expected]])
  })

  test('tells how many rows a statement affected', async () => {
    const client = await clientOf((await start()).url, 'auto')
    const { answer, text } = await query(client, { sql: 'update customers set vip = vip where id <= 7' })
    expect(answer).toMatchObject({ columns: [], rows: [], rowCount: 7, truncated: false })
    expect(text).toBe('OK: UPDATE 7')
  })

  test('tells the columns of an empty result', async () => {
    const client = await clientOf((await start()).url, 'auto')
    const { answer, text } = await query(client, { sql: 'select id from customers where false' })
    expect(answer).toMatchObject({ columns: [{ name: 'id', type: 'int4' }], rowCount: 0 })
    expect(text).toBe('0 rows\n["id"]')
  })

  test("passes on the database's error with its SQLSTATE", async () => {
    const client = await clientOf((await start()).url, 'auto')
    const { answer, text, isError } = await query(client, { sql: 'select * from nowhere' })
    expect(isError).toBe(true)
    expect(answer.error).toMatchObject({ code: '42P01' })
    expect(text).toContain(
      'The database refused it [42P01]: relation "nowhere" does not exist at character 15',
    )
  })

  test('reports a statement that fails only when it is committed', async () => {
    const client = await clientOf((await start()).url, 'auto')
    const sql = 'insert into orders values (1, 4711) returning id'
    expect((await query(client, { sql })).answer.error).toMatchObject({ code: '23503' })
  })

  test('commits what it reports', async () => {
    const client = await clientOf((await start()).url, 'auto')
    const sql = 'insert into notes select n from generate_series(1, 300) n returning id'
    expect((await query(client, { sql, maxRows: 1 })).answer).toMatchObject({ rows: [[1]], truncated: true })
    expect((await query(client, { sql: 'select count(*)::int from notes' })).answer.rows).toEqual([[300]])
  })

  test('runs nothing when there is nothing to run', async () => {
    const client = await clientOf((await start()).url, 'auto')
    expect(await query(client, { sql: '-- nothing' })).toMatchObject({
      isError: false,
      text: 'OK, nothing was run',
    })
  })

  test('takes one statement only', async () => {
    const client = await clientOf((await start()).url, 'auto')
    expect((await query(client, { sql: 'select 1; select 2' })).answer.error).toMatchObject({ code: '42601' })
  })

  test.each(['copy customers to stdout', 'copy customers (id) from stdin'])('refuses %s', async (sql) => {
    const client = await clientOf((await start()).url, 'auto')
    expect((await query(client, { sql })).isError).toBe(true)
    expect((await query(client, { sql: 'select 1' })).answer.rows).toEqual([[1]])
  })

  test('says that a denial is one', async () => {
    const denial = new AccessDenied('ACCESS_POLICY_DENIED', 'connect is not permitted', {
      policies: ['night'],
    })
    const client = await clientOf((await start({ openSession: () => Promise.reject(denial) })).url, 'auto')
    const { answer, isError, text } = await query(client, { sql: 'select 1' })
    expect(isError).toBe(true)
    expect(answer.decision).toEqual({
      effect: 'deny',
      policies: ['night'],
      reason: 'connect is not permitted',
    })
    expect(text).toContain('Do not retry this unchanged')
  })

  test('knows no other target', async () => {
    const client = await clientOf((await start()).url, 'auto')
    const { answer } = await query(client, { target: 'nowhere', sql: 'select 1' })
    expect(answer.error).toMatchObject({ code: 'TARGET_UNKNOWN' })
  })

  test('ends a query that takes too long', async () => {
    const { services } = testWorld()
    const { url } = await start({ settings: { ...services.settings, queryTimeoutMs: 300 } })
    const { answer } = await query(await clientOf(url, 'auto'), { sql: 'select pg_sleep(60) as too_long' })
    expect(answer.error).toMatchObject({ code: 'LIMIT_REACHED' })
    await gone('too_long')
  })

  test('says so when the session breaks off', async () => {
    const client = await clientOf((await start()).url, 'auto')
    const { answer } = await query(client, { sql: 'select pg_terminate_backend(pg_backend_pid())' })
    expect(answer.error?.code).toMatch(/^(?:57P01|SESSION_ENDED)$/)
  })
})

test('headers go out before the answer is there', async () => {
  const { url } = await start()
  const sent = request(new URL('/mcp', url), {
    method: 'POST',
    headers: {
      authorization: 'Bearer token-insight-agent',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
  })
  const params = { name: 'query', arguments: { target: 'shop', sql: 'select pg_sleep(60) as headers_first' } }
  sent.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }))
  const [response] = await once(sent, 'response')
  expect(response).toMatchObject({
    statusCode: 200,
    headers: { 'content-type': 'text/event-stream', 'x-content-type-options': 'nosniff' },
  })
  await running('headers_first')
  sent.destroy()
  await gone('headers_first')
})
