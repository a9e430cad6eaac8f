import { existsSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { installed, runProgram } from '../harness/programs.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const PSQL = installed('psql')
const PYTHON = installed('python3') ?? ''
const { code: psycopg2 } = await runProgram(PYTHON === '' ? 'false' : PYTHON, ['-c', 'import psycopg2'])
const DRIVER = '/usr/share/java/postgresql.jar'
const JAVA = installed('javac') === undefined ? undefined : installed('java')

const KINDS = ['flag', 'small', 'big', 'price', 'ratio', 'at', 'day', 'bytes', 'doc', 'tags', 'uid']
const CLASSES = [
  {
    kind: 'Classification',
    target: 'shop',
    fields: [
      { field: 'public.customers.email', class: 'pii.email' },
      { field: 'public.customers.name', class: 'pii.name' },
      ...KINDS.map((column) => ({ field: `public.kinds.${column}`, class: 'pii.any' })),
    ],
  },
  { kind: 'DataClass', name: 'pii.email', mask: { method: 'partial', keep: 'domain' } },
  { kind: 'DataClass', name: 'pii.name', mask: 'token' },
  { kind: 'DataClass', name: 'pii.any', mask: 'redact' },
]

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway({
    files: { 'classes.yaml': CLASSES.map((one) => JSON.stringify(one)).join('\n---\n') },
  })
})
afterAll(() => world[Symbol.asyncDispose]())

const MASKED = '****@example.com'

describe('node-pg', () => {
  test('reads masked values of every type, as text and in binary', async () => {
    const client = await world.access.connect('ana')
    const expected = {
      id: 1,
      flag: false,
      small: 0,
      big: '0',
      price: '0',
      ratio: 0,
      at: new Date(0),
      bytes: Buffer.alloc(0),
      doc: '[redacted]',
      tags: ['[redacted]', '[redacted]', null],
      uid: '00000000-0000-0000-0000-000000000000',
    }
    const columns = Object.keys(expected).join(', ')
    const { rows } = await client.query(`SELECT ${columns} FROM kinds ORDER BY id`)
    expect(rows[0]).toEqual(expected)
    expect(Object.values(rows[1] as object).slice(1)).toEqual(KINDS.slice(1).map(() => null))
    const binary = {
      text: 'SELECT id, flag, small, big, ratio FROM kinds WHERE id = ANY($1) ORDER BY id',
      values: [[1]],
      binary: true,
    }
    expect((await client.query(binary)).rows).toEqual([{ id: 1, flag: false, small: 0, big: '0', ratio: 0 }])
  })

  test('runs a prepared statement again, and is masked each time', async () => {
    const client = await world.access.connect('ana')
    for (const id of [1, 2, 3]) {
      const query = { name: 'mail', text: 'SELECT email FROM customers WHERE id = $1', values: [id] }
      expect((await client.query(query)).rows).toEqual([{ email: MASKED }])
    }
  })

  test('finds a row again by the token of its value', async () => {
    const client = await world.access.connect('ana')
    const { rows } = await client.query<{ name: string }>('SELECT name FROM customers WHERE id = 7')
    const token = rows[0]?.name ?? ''
    expect(token).not.toContain('Customer')
    const found = await client.query('SELECT id, name FROM customers WHERE name = $1', [token])
    expect(found.rows).toEqual([{ id: 7, name: token }])
  })

  test('is told that something is wrong with a value, and not with which', async () => {
    const client = await world.access.connect('ana')
    const failed = client.query('SELECT email::integer FROM customers WHERE id = 7')
    await expect(failed).rejects.toMatchObject({
      code: '22P02',
      message: expect.not.stringContaining('c7@example.com'),
      where: expect.stringMatching(/^Sallyport decision ses_/),
    })
  })
})

test('postgres.js reads by cursor and COPY, and masked values are what comes', async () => {
  const { secret } = await world.access.ticket('ana')
  const { host, port } = world.access.address
  const sql = postgres({ host, port, user: 'ana', database: 'shop', password: secret, max: 1 })
  const mails = new Set<string>()
  for await (const batch of sql`SELECT email FROM customers`.cursor(300)) {
    for (const { email } of batch) mails.add(String(email))
  }
  expect([...mails]).toEqual([MASKED])
  let text = ''
  const out = await sql`COPY (SELECT id, email FROM customers WHERE id < 3 ORDER BY id) TO STDOUT`.readable()
  for await (const chunk of out) text += String(chunk)
  expect(text).toBe(`1\t${MASKED}\n2\t${MASKED}\n`)
  await sql.end()
})

test.skipIf(PSQL === undefined)('psql: \\copy, FETCH_COUNT, several statements at once', async () => {
  const env = await world.access.libpq('ana')
  const script = `
    SELECT id, email FROM customers WHERE id < 3 ORDER BY id;
    \\copy (SELECT email, city FROM customers WHERE id < 3 ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)
    \\set FETCH_COUNT 100
    SELECT DISTINCT count(*) OVER () FROM customers;
    SELECT email FROM customers WHERE id = 5;
    \\unset FETCH_COUNT
    SELECT 1 \\; SELECT email FROM customers WHERE id = 5 \\; SELECT 2;
    SELECT c FROM customers c WHERE id = 5;
  `
  const { code, stdout, stderr } = await runProgram(PSQL ?? '', ['-X', '-q', '-A', '-t'], {
    env,
    input: script,
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.split('\n')).toEqual([
    `1|${MASKED}`,
    `2|${MASKED}`,
    'email,city',
    `${MASKED},Ghent`,
    `${MASKED},Ghent`,
    '1000',
    MASKED,
    '1',
    MASKED,
    '2',
    // A row of a table's own type is NULL as a whole: an empty line.
    '',
    '',
  ])
})

const PYTHON_CLIENT = `
import io, json, psycopg2
connection = psycopg2.connect("")
seen = {}
with connection.cursor("named") as named:
    named.itersize = 300
    named.execute("SELECT email FROM customers")
    seen["streamed"] = sorted(set(row[0] for row in named))
cursor = connection.cursor()
cursor.execute("SELECT big, price, day::text, doc, tags FROM kinds WHERE id = 1")
big, price, day, doc, tags = cursor.fetchone()
seen["kinds"] = [big, str(price), day, doc, tags]
out = io.StringIO()
cursor.copy_expert("COPY (SELECT email FROM customers WHERE id = 1) TO STDOUT WITH (FORMAT csv)", out)
seen["copied"] = out.getvalue()
try:
    cursor.copy_expert("COPY customers TO STDOUT WITH (FORMAT binary)", io.BytesIO())
except psycopg2.Error as error:
    seen["binary"] = error.pgcode
print(json.dumps(seen))
`

test.skipIf(psycopg2 !== 0)('psycopg2 (skipped where python3-psycopg2 is not installed)', async () => {
  const env = await world.access.libpq('ana')
  const { code, stdout, stderr } = await runProgram(PYTHON, ['-c', PYTHON_CLIENT], { env })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({
    streamed: [MASKED],
    // A date as text is computed from the date, and so no date any more.
    kinds: [0, '0', '[redacted]', '[redacted]', ['[redacted]', '[redacted]', null]],
    copied: `${MASKED}\n`,
    binary: '42501',
  })
})

test.skipIf(JAVA === undefined || !existsSync(DRIVER))(
  'JDBC (skipped without its driver and a JDK)',
  async () => {
    const env = await world.access.libpq('ana')
    const source = join(import.meta.dirname, 'MaskedJdbcClient.java')
    const args = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Duser.timezone=UTC', '-cp', DRIVER, source]
    const { code, stdout, stderr } = await runProgram(JAVA ?? '', args, { env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const row = '1 false 0 0 0 0.0 1970-01-01 "[redacted]" 3 00000000-0000-0000-0000-000000000000'
    expect(stdout.trim().split('\n')).toEqual([row, row, row, row, row, 'fetched 1000'])
  },
)
