import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CanaryWatch, numberCanary, textCanary } from '../harness/canaries.ts'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { type GrammarTable, seeded, StatementGrammar } from '../harness/statement-grammar.ts'
import { isDenied, type Way, WireCapture } from '../harness/wire-capture.ts'

/** `npm run fuzz:masking` runs ten thousand; each seed makes other statements. */
const STATEMENTS = Number(process.env['MASKING_FUZZ_STATEMENTS'] ?? 300)
const SEED = Number(process.env['MASKING_FUZZ_SEED'] ?? 20_261_125)

const PEOPLE: GrammarTable = {
  name: 'people',
  key: 'id',
  texts: ['email', 'ssn', 'remark'],
  numbers: ['salary', 'points'],
  others: ['born', 'profile', 'tags', 'photo', 'seen', 'mood', 'boss'],
}
const CONTACTS: GrammarTable = {
  name: 'contacts',
  key: 'id',
  texts: ['mail', 'code'],
  numbers: ['pay'],
  others: ['doc'],
}
const HIDDEN = [
  'email',
  'ssn',
  'remark',
  'salary',
  'points',
  'born',
  'profile',
  'tags',
  'photo',
  'seen',
  'mood',
  'boss',
]

const SCHEMA = `
CREATE TYPE boss AS (name text, age integer);
CREATE TABLE people (
  id integer PRIMARY KEY, city text NOT NULL, email text UNIQUE, ssn varchar(40), remark text, salary numeric, points bigint,
  born date, profile jsonb, tags text[], photo bytea, seen timestamptz, mood text, boss boss,
  CHECK (salary > 0)
);
CREATE VIEW contacts AS
  SELECT id, email AS mail, reverse(ssn) AS code, salary + 0 AS pay, profile AS doc FROM people;
`

const POLICIES = `
@id("agents-work")
permit (principal, action, resource in Target::"other")
unless { [Action::"reveal", Action::"infer"].contains(action) };
@id("admins-administer")
permit (principal in Group::"admins", action in Action::"administer", resource == Gateway::"sallyport");
`

const CLASSES = [
  {
    kind: 'Classification',
    target: 'other',
    fields: HIDDEN.map((column) => ({
      field: `public.people.${column}`,
      class: { email: 'pii.email', ssn: 'pii.ssn', born: 'pii.born', salary: 'pii.pay' }[column] ?? 'pii.any',
    })),
  },
  { kind: 'DataClass', name: 'pii.any', mask: 'redact' },
  { kind: 'DataClass', name: 'pii.email', mask: { method: 'partial', keep: 'domain' } },
  { kind: 'DataClass', name: 'pii.ssn', mask: { method: 'partial', keep: 'last4' } },
  { kind: 'DataClass', name: 'pii.born', mask: { method: 'truncate', to: 'year' } },
  { kind: 'DataClass', name: 'pii.pay', mask: 'null' },
]

let world: TestGateway
const watch = new CanaryWatch()
beforeAll(async () => {
  const random = seeded(SEED)
  const rows = [1, 2, 3].map((id) => {
    const canary = (): string => {
      const text = textCanary(random)
      watch.text(text)
      return text
    }
    const digits = (): string => {
      const number = numberCanary(random)
      watch.number(number)
      return number
    }
    const born = `19${50 + id}-0${id + 3}-1${id}`
    watch.whole(born)
    const [tag, other] = [canary(), canary()]
    return [
      id,
      'Ghent',
      `${canary()}@example.com`,
      canary(),
      canary(),
      digits(),
      digits(),
      born,
      JSON.stringify({ passport: canary(), more: [canary()] }),
      [tag, null, other],
      Buffer.from(canary()),
      `20${20 + id}-05-06 07:08:09+00`,
      canary(),
      `(${canary()},5${id})`,
    ]
  })
  world = await startTestGateway({
    policies: POLICIES,
    files: { 'classes.yaml': CLASSES.map((one) => JSON.stringify(one)).join('\n---\n') },
    prepare: async (_, target) => {
      const other = await target.client('other')
      await other.query(SCHEMA)
      for (const row of rows) {
        await other.query(`INSERT INTO people VALUES (${row.map((__, at) => `$${at + 1}`).join(', ')})`, row)
      }
      await other.query(`
        GRANT USAGE, CREATE ON SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO sallyport_issuer WITH GRANT OPTION`)
      await other.end()
    },
  })
})
afterAll(() => world[Symbol.asyncDispose]())

async function connect(): Promise<WireCapture> {
  const { secret } = await world.access.ticket('ana', { target: 'other' })
  return WireCapture.connect(world.access.address.port, 'ana', 'other', secret)
}

test('canaries are found, however they are written', () => {
  const own = new CanaryWatch()
  own.text('qxzjkwvqxzjkwv')
  own.number('4815162342')
  for (const leak of [
    'qxzjkwvqxzjkwv',
    'a jkwvq b',
    'XZJKW',
    'wkjzx',
    Buffer.from('zjkwvqxz').toString('hex'),
    Buffer.from('??qxzjkwvq').toString('base64'),
    Buffer.from('VWKJZXQVWK').toString('base64'),
    '9,516234,9',
    '243261',
  ]) {
    expect(own.find(Buffer.from(leak)), leak).toBeDefined()
  }
  expect(own.find(Buffer.from('qxzj kwvq 48151 [redacted] 1970-01-01'))).toBeUndefined()
})

test(`of ${STATEMENTS} statements that a grammar makes, none brings a canary out`, {
  timeout: 60_000 + STATEMENTS * 200,
}, async () => {
  const random = seeded(SEED + 1)
  const grammar = new StatementGrammar(random, [PEOPLE, PEOPLE, CONTACTS])
  const ways: readonly Way[] = ['simple', 'text', 'binary', 'portal']
  let capture = await connect()
  const counts = { denied: 0, failed: 0, answered: 0 }
  const leaks: string[] = []
  try {
    for (let n = 0; n < STATEMENTS; n++) {
      const { messages, isPlain } = grammar.statement()
      const way = isPlain ? (ways[Math.floor(random() * ways.length)] ?? 'simple') : 'simple'
      let outcome: keyof typeof counts = 'answered'
      for (const sql of messages) {
        const frames = await capture.run(sql, way)
        if (isDenied(frames)) outcome = 'denied'
        else if (frames.some(({ type }) => type === 'E') && outcome === 'answered') outcome = 'failed'
        const found = watch.find(Buffer.concat(frames.map(({ body }) => body)))
        if (found !== undefined) leaks.push(`${found} in ${way}: ${messages.join('; ')}`)
        if (capture.isClosed) capture = await connect()
      }
      counts[outcome]++
    }
  } finally {
    capture[Symbol.dispose]()
  }
  expect(leaks).toEqual([])
  // A gateway that lets nothing through would pass, too.
  expect(counts.answered / STATEMENTS).toBeGreaterThan(0.3)
})

test('nor does MCP, nor what was recorded of it', async () => {
  const random = seeded(SEED + 2)
  const grammar = new StatementGrammar(random, [PEOPLE, CONTACTS])
  const client = new Client({ name: 'test', version: '1' })
  const requestInit = { headers: { authorization: `Bearer ${await world.token('ana')}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', world.access.url), { requestInit }))
  let answered = 0
  for (let n = 0; n < 25; n++) {
    const { messages, isPlain } = grammar.statement()
    if (!isPlain) continue
    const sql = messages[0] ?? ''
    const result = await client.callTool({ name: 'query', arguments: { target: 'other', sql } })
    expect(watch.find(Buffer.from(JSON.stringify(result)))).toBeUndefined()
    if (result.isError !== true) answered++
  }
  expect(answered).toBeGreaterThan(0)
  const result = await client.callTool({
    name: 'query',
    arguments: { target: 'other', sql: 'SELECT id, ssn, email FROM people ORDER BY id' },
  })
  expect(result.structuredContent).toMatchObject({
    masked: [
      { column: 'ssn', class: 'pii.ssn', method: 'partial' },
      { column: 'email', class: 'pii.email', method: 'partial' },
    ],
  })
  await client.close()
  const api = await world.access.api('root', { groups: ['admins'] })
  const { sessions } = await api.sessions.list({ target: 'other', limit: 100 })
  for (const { id } of sessions) {
    const { events } = await api.sessions.events(id, { limit: 1000 })
    expect(watch.find(Buffer.from(JSON.stringify(events)))).toBeUndefined()
  }
})
