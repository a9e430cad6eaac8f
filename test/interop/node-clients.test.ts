import { Client } from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway()
})
afterAll(() => world[Symbol.asyncDispose]())

const WRITER = { groups: ['readers', 'writers', 'callers'] }

describe('node-pg', () => {
  test('sees the same values through the gateway as without it, as text and in binary', async () => {
    const direct = await world.target.client('shop')
    const through = await world.access.connect('ana')
    const sql = 'SELECT * FROM kinds ORDER BY id'
    expect((await through.query(sql)).rows).toEqual((await direct.query(sql)).rows)
    for (const binary of [false, true]) {
      const query = {
        text: 'SELECT id, flag, small, big, ratio, bytes, uid FROM kinds WHERE id = ANY($1) ORDER BY id',
        values: [[1, 2]],
        binary,
      }
      expect((await through.query(query)).rows, `binary: ${binary}`).toEqual((await direct.query(query)).rows)
    }
  })

  test('prepares a statement once and runs it with other parameters', async () => {
    const client = await world.access.connect('ana')
    for (const id of [1, 2, 3]) {
      const { rows } = await client.query({
        name: 'by-id',
        text: 'SELECT name FROM customers WHERE id = $1',
        values: [id],
      })
      expect(rows).toEqual([{ name: `Customer ${id}` }])
    }
  })

  test('pipelines statements past one that is denied', async () => {
    const client = new Client({ ...(await world.access.connection('ana')), pipeline: true })
    await client.connect()
    const outcomes = await Promise.allSettled([
      client.query('SELECT 1 AS n'),
      client.query('SELECT id FROM customers WHERE id = $1', [2]),
      client.query('SELECT text FROM secrets WHERE id = $1', [1]),
      client.query('DELETE FROM customers WHERE id = $1', [1]),
      client.query('SELECT id FROM customers WHERE id = $1', [3]),
      client.query('SELECT 4 AS n'),
    ])
    await client.end()
    expect(outcomes.map((one) => (one.status === 'fulfilled' ? one.value.rows : one.reason.code))).toEqual([
      [{ n: 1 }],
      [{ id: 2 }],
      '42501',
      '42501',
      [{ id: 3 }],
      [{ n: 4 }],
    ])
  })

  test('receives notices', async () => {
    const client = await world.access.connect('ana')
    const notices: (string | undefined)[] = []
    client.on('notice', ({ message }) => notices.push(message))
    await client.query('COMMIT')
    expect(notices).toEqual(['there is no transaction in progress'])
  })
})

describe('postgres.js', () => {
  function connect(password: string, options: object = {}): postgres.Sql {
    const { host, port } = world.access.address
    return postgres({
      host,
      port,
      user: 'ana',
      database: 'shop',
      password,
      max: 3,
      onnotice: () => undefined,
      ...options,
    })
  }

  test('fetches types, runs parameters and transactions, and pipelines on several connections', async () => {
    const { secret } = await world.access.ticket('ana', WRITER)
    const sql = connect(secret)
    const [row] = await sql`SELECT price, tags[1:2] AS tags, doc, bytes, at FROM kinds WHERE id = ${1}`
    expect(row).toEqual({
      price: '1234.50',
      tags: ['one', 't w o'],
      doc: { a: [1, null] },
      bytes: Buffer.from([0, 255, 16]),
      at: new Date('2026-01-02T03:04:05Z'),
    })
    const names = await Promise.all(
      Array.from({ length: 30 }, (_, i) => sql`SELECT name FROM customers WHERE id = ${i + 1}`),
    )
    expect(names.map(([one]) => one?.['name'])).toEqual(names.map((_, i) => `Customer ${i + 1}`))
    await sql
      .begin(async (transaction) => {
        await transaction`INSERT INTO notes (id, text) VALUES (1000, 'undone')`
        throw new Error('back')
      })
      .catch(() => undefined)
    await sql.begin(async (transaction) => {
      await transaction`INSERT INTO notes ${sql([{ id: 1001, text: 'done' }])}`
    })
    expect([...(await sql`SELECT id FROM notes WHERE id >= 1000`)]).toEqual([{ id: 1001 }])
    await sql.end()
  })

  test('streams with a cursor and with COPY', async () => {
    const { secret } = await world.access.ticket('ana', WRITER)
    const sql = connect(secret, { max: 1 })
    let rows = 0
    for await (const batch of sql`SELECT id FROM customers`.cursor(300)) rows += batch.length
    expect(rows).toBe(1000)
    const out = await sql`COPY (SELECT id FROM customers WHERE id <= 3 ORDER BY id) TO STDOUT`.readable()
    let text = ''
    for await (const chunk of out) text += String(chunk)
    expect(text).toBe('1\n2\n3\n')
    const into = await sql`COPY notes (id, text) FROM STDIN`.writable()
    await new Promise<void>((resolve, reject) => {
      into.on('error', reject).on('finish', resolve)
      into.write('1100\tone\n')
      into.end('1101\ttwo\n')
    })
    expect([...(await sql`SELECT text FROM notes WHERE id >= 1100 ORDER BY id`)]).toEqual([
      { text: 'one' },
      { text: 'two' },
    ])
    await sql.end()
  })

  test('cancels a query, and the connection is good for the next one', async () => {
    const { secret } = await world.access.ticket('ana', WRITER)
    const sql = connect(secret, { max: 1 })
    await sql`SELECT 1`
    const sleeping = sql`SELECT pg_sleep(600)`.execute()
    await world.running('pg_sleep(600)')
    sleeping.cancel()
    await expect(sleeping).rejects.toMatchObject({ code: '57014' })
    expect([...(await sql`SELECT 2 AS n`)]).toEqual([{ n: 2 }])
    await sql.end()
  })

  test('is told by whom it was denied', async () => {
    const { secret } = await world.access.ticket('ana')
    const sql = connect(secret)
    await expect(sql`DROP TABLE customers`).rejects.toMatchObject({
      code: '42501',
      message: expect.stringContaining('structure-is-fixed'),
      hint: 'propose a migration instead',
    })
    await sql.end()
  })
})
