import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TargetPostgres } from '../../../../../test/harness/postgres.ts'
import { RawClient, TestGateway } from './gateway.fixture.ts'
import { gatewayCertificate, startLeasedTarget } from './lease.fixture.ts'
import { decodeErrorFields, FRONTEND, message } from './messages.ts'
import { StatementReader } from './parser.ts'
import { client as wire, type Frame } from './wire.fixture.ts'

const N = 10_000
const times = (text: string, n = N): string => text.repeat(n)
const nested = (open: string, inside: string, close: string, n = N): string =>
  times(open, n) + inside + times(close, n)

/** Texts that are to exhaust a stack, the memory or everybody's patience, one for each way in which SQL can nest. */
const HOSTILE: readonly (readonly [string, string])[] = [
  ['parentheses', `SELECT ${nested('(', '1', ')')}`],
  ['NOT', `SELECT ${times('NOT ')}true`],
  ['minus', `SELECT ${times('- ')}1`],
  ['a sum', `SELECT 1${times('+1')}`],
  ['a very long sum', `SELECT 1${times('+1', 120_000)}`],
  ['OR', `SELECT true${times(' OR true')}`],
  ['a mixed chain', `DELETE FROM t WHERE a${times(' = 1 AND a = 2 OR a', 5000)} = 1`],
  ['CASE', `SELECT ${nested('CASE WHEN a THEN ', '1', ' END', 5000)}`],
  ['subqueries', `SELECT * FROM ${nested('(SELECT * FROM ', 't', ') x', 5000)}`],
  ['scalar subqueries', `SELECT ${nested('(SELECT ', '1', ')')}`],
  ['EXISTS', `SELECT ${nested('EXISTS (SELECT 1 WHERE ', 'true', ')', 5000)}`],
  ['WITH', nested('WITH x AS (', 'SELECT 1', ') SELECT 1', 5000)],
  [
    'many WITH',
    `WITH a0 AS (SELECT 1)${Array.from({ length: 5000 }, (_, n) => `, a${n + 1} AS (TABLE a${n})`).join('')} SELECT * FROM a5000, nowhere`,
  ],
  ['calls', `SELECT ${nested('abs(', '1', ')')}`],
  ['arrays', `SELECT ${nested('ARRAY[', '1', ']')}`],
  ['subscripts', `SELECT a${times('[1]')}`],
  ['fields', `SELECT ${nested('(', 'a', ').b')}`],
  ['casts', `SELECT 1${times('::int')}`],
  ['COLLATE', `SELECT 'a'${times(' COLLATE "C"')}`],
  ['rows', `SELECT ${nested('ROW(', '1', ')')}`],
  ['unions', `SELECT 1${times(' UNION SELECT 1')}`],
  ['unions on the right', nested('SELECT 1 UNION (', 'SELECT 1', ')', 5000)],
  ['joins', `SELECT * FROM a${times(' CROSS JOIN a', 5000)}`],
  ['joins on the right', `SELECT * FROM ${nested('(a CROSS JOIN ', 'a', ')', 5000)}`],
  ['IN', `SELECT 1 IN (1${times(',1', 50_000)})`],
  ['VALUES', `VALUES (1)${times(',(1)', 40_000)}`],
  ['IS', `SELECT a${times(' IS NULL')}`],
  ['BETWEEN', `SELECT ${times('1 BETWEEN 1 AND ')}1`],
  ['LIKE', `SELECT 'a'${times(" LIKE 'a'")}`],
  ['window frames', `SELECT ${nested('sum(', '1', ') OVER (ORDER BY 1)', 2000)}`],
  ['JSON', `SELECT ${nested("json_object('a': ", '1', ')', 5000)}`],
  ['XML', `SELECT ${nested('xmlelement(name a, ', '1', ')', 5000)}`],
  ['statements', times('SELECT 1;', 20_000)],
  ['SETs', times('SET search_path = a;', 10_000)],
  ['different SETs', Array.from({ length: 8000 }, (_, n) => `SET search_path = a${n};`).join('')],
  ['temporary tables', Array.from({ length: 6000 }, (_, n) => `CREATE TEMP TABLE a${n}();`).join('')],
  ['comments', times('/*', 100_000)],
  ['a literal', `SELECT '${times('x', 250_000)}'`],
  ['an identifier', `SELECT 1 AS "${times('x', 250_000)}"`],
  ['a literal that is too long', `SELECT '${times('x', 1_000_000)}'`],
  ['dollar quotes', `SELECT ${times('$a$ $b$ ', 15_000)}`],
  ['an unfinished string', `SELECT '${times("''", 100_000)}`],
  ['escapes', `SELECT U&'${times(String.raw`\0061`, 30_000)}'`],
  ['parameters', `SELECT ${Array.from({ length: 20_000 }, (_, n) => `$${n + 1}`).join(',')}`],
  ['a parameter out of range', 'SELECT $99999999999999999999'],
  ['a number', `SELECT ${times('9', 200_000)}`],
  ['columns', `CREATE TABLE a (${Array.from({ length: 10_000 }, (_, n) => `c${n} int`).join(',')})`],
  ['privileges', `GRANT SELECT ON a${times(', a', 40_000)} TO b`],
  ['drops', `DROP TABLE a${times(', a', 40_000)}`],
  ['a NUL', 'SELECT 1\0; DROP TABLE marks'],
  ['half a surrogate pair', "SELECT '\ud800'"],
]

let server: TargetPostgres
let gateway: TestGateway
let reader: StatementReader
beforeAll(async () => {
  reader = new StatementReader()
  const leased = await startLeasedTarget()
  server = leased.server
  gateway = await TestGateway.start(leased.target, gatewayCertificate(), reader)
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await reader.close()
  await server.stop()
})

/** What another session gets done meanwhile: each statement is one that no cache knows. */
async function others(until: Promise<unknown>): Promise<number> {
  const client = await gateway.client()
  const over = new AbortController()
  void until.finally(() => over.abort())
  let done = 0
  while (!over.signal.aborted || done === 0) {
    const { rows } = await client.query(`SELECT 1 AS column_${done}_${Math.random().toString(36).slice(2)}`)
    expect(rows).toHaveLength(1)
    done++
  }
  await client.end()
  return done
}

const types = (messages: readonly Frame[]): string => messages.map(({ type }) => type).join('')

describe('a hostile statement', () => {
  it.each(HOSTILE)(
    'of %s is denied or run, and nobody else waits for it',
    async (_, text) => {
      using hostile = await RawClient.dial(gateway.port)
      await hostile.logIn()
      hostile.send(wire.query(text))
      const answer = hostile.until('Z')
      expect(await others(answer)).toBeGreaterThan(0)
      expect(types(await answer)).toMatch(/(C|E|I)S*Z$/)
      // The session goes on, whatever it was.
      hostile.send(wire.query('SELECT 1'))
      expect(types(await hostile.until('Z'))).toContain('DC')
    },
    60_000,
  )

  it('in bytes that are no UTF-8 is denied', async () => {
    using hostile = await RawClient.dial(gateway.port)
    await hostile.logIn()
    const bytes = Buffer.concat([
      Buffer.from("SELECT '"),
      Buffer.from([0xc3, 0x28, 0xff]),
      Buffer.from("'\0"),
    ])
    hostile.send(
      message(FRONTEND.query, bytes),
      message(FRONTEND.parse, Buffer.concat([Buffer.from('\0'), bytes, Buffer.alloc(2)])),
      wire.sync,
    )
    const [first, second] = [await hostile.until('Z'), await hostile.until('Z')]
    for (const answer of [first, second]) {
      const error = answer.find(({ type }) => type === 'E')
      expect(
        decodeErrorFields(error?.body ?? Buffer.alloc(0), 0, error?.body.length ?? 0).get('M'),
      ).toContain('UTF-8')
    }
  })

  it('that kills the parser, again and again, leaves the parser to others', async () => {
    using hostile = await RawClient.dial(gateway.port)
    await hostile.logIn()
    const text = `SELECT 1${times('+1', 125_000)}`
    const rounds = 5
    const answers = (async () => {
      for (let n = 0; n < rounds; n++) {
        hostile.send(wire.query(`${text} -- ${n}`))
        expect(types(await hostile.until('Z'))).toMatch(/(C|E)Z$/)
      }
    })()
    expect(await others(answers)).toBeGreaterThan(rounds)
    await answers
  }, 120_000)
})
