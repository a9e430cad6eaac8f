import { afterAll, describe, expect, it } from 'vitest'
import { catalogOf, tableOf } from '../../access/catalog.fixture.ts'
import { usualNames } from '../sql/search-path.ts'
import { type Question, StatementReader } from './parser.ts'
import { WaitingStatements } from './statement-queue.ts'
import { decodeStatement } from './statement-text.ts'

const CATALOG = catalogOf([])

function ask(text: string, session: string, catalog = CATALOG): Question {
  return { text, catalog, names: usualNames(catalog.searchPath), session }
}

// Patient: these tests share their machine.
const reader = new StatementReader({ threads: 1, deadlineMs: 20_000 })
afterAll(() => reader.close())

describe('reading a statement', () => {
  it('gives back what it does', async () => {
    const reading = await reader.read(ask('SELECT * FROM a; DELETE FROM b', 's'))
    expect(reading.operations).toEqual([
      { action: 'select', resource: { type: 'Table', schema: 'public', table: 'a' } },
      { action: 'delete', resource: { type: 'Table', schema: 'public', table: 'b' } },
    ])
    expect(reading.facts).toMatchObject({ multi: true, hasWhere: false, reading: 'complete' })
  })

  it.each(['', ' ', ';;', '-- nothing', '/* nothing */'])('finds nothing in %j', async (text) => {
    expect(await reader.read(ask(text, 's'))).toMatchObject({
      operations: [{ action: 'connect' }],
      facts: { reading: 'complete' },
    })
  })

  it("says in PostgreSQL's words what its grammar does not accept", async () => {
    const reading = await reader.read(ask('SELEC 1', 's'))
    expect(reading.facts.reading).toBe('opaque')
    expect(reading.opaqueBecause).toBe('syntax error at or near "SELEC"')
  })

  it.each([
    ['a NUL', 'SELECT 1\0; DROP TABLE a'],
    ['half a surrogate pair', "SELECT '\ud800'"],
    ['what a lenient decoder makes of bad UTF-8', "SELECT '\ufffd'"],
    ['more than 256 KiB', `SELECT '${'x'.repeat(1024 * 1024)}'`],
    ['more than 256 KiB of UTF-8', `SELECT '${'€'.repeat(100_000)}'`],
  ])('does not even show the parser %s', async (_, text) => {
    expect((await reader.read(ask(text, 's'))).facts.reading).toBe('opaque')
  })
})

describe('hostile statements', () => {
  it('are opaque or read, and the next one is read right, however often they come', async () => {
    const hostile = [
      `SELECT ${'('.repeat(10_000)}1${')'.repeat(10_000)}`,
      `SELECT ${'NOT '.repeat(60_000)}true`,
      `SELECT ${Array.from({ length: 100_000 }, () => '1').join('+')}`,
      `SELECT ${'CASE WHEN a THEN '.repeat(3000)}1${' END'.repeat(3000)}`,
    ]
    for (const text of hostile) {
      const [, next] = await Promise.all([
        reader.read(ask(text, 'bad')),
        reader.read(ask('SELECT * FROM b', 'good')),
      ])
      expect(next.operations).toEqual([
        { action: 'select', resource: { type: 'Table', schema: 'public', table: 'b' } },
      ])
    }
  })

  it('that overflow stacks do not poison the parser', async () => {
    const chain = `SELECT a FROM t WHERE ${Array.from({ length: 10_000 }, () => 'a').join('+')} = 1`
    for (let n = 0; n < 40; n++) {
      const reading = await reader.read(ask(chain, 'bad'))
      if (reading.facts.reading === 'complete') {
        expect(reading.operations).toEqual([
          { action: 'select', resource: { type: 'Table', schema: 'public', table: 't' } },
        ])
      }
    }
    const next = await reader.read(ask('DELETE FROM b', 'good'))
    expect(next.operations).toEqual([
      { action: 'delete', resource: { type: 'Table', schema: 'public', table: 'b' } },
    ])
  }, 60_000)

  it('that take too long are opaque, and the thread is replaced', async () => {
    await using hasty = new StatementReader({ threads: 1, deadlineMs: 50 })
    // For each comment that is open the scanner begins anew: a minute of work.
    const slow = '/*'.repeat(100_000)
    expect((await hasty.read(ask(slow, 's'))).opaqueBecause).toContain('could not be read within 50 ms')
    expect((await hasty.read(ask(slow, 's'))).opaqueBecause).toContain('could not be read within 50 ms')
  })
})

describe('the threads', () => {
  it('read each text with the catalog that it was asked with, however many there are', async () => {
    await using worn = new StatementReader({ threads: 1, deadlineMs: 20_000, textsPerThread: 7 })
    const catalogs = Array.from({ length: 12 }, (_, n) =>
      catalogOf([tableOf(`s${n}.t`)], { searchPath: Array.from({ length: 12 }, (__, m) => `s${m}`) }),
    )
    const asked = [...catalogs, ...catalogs.toReversed(), ...catalogs]
    const readings = await Promise.all(asked.map((catalog) => worn.read(ask('SELECT FROM t', 's', catalog))))
    expect(readings.map(({ operations }) => operations[0]?.resource)).toEqual(
      asked.map(({ relations }) => ({ type: 'Table', schema: relations[0]?.schema, table: 't' })),
    )
  })

  it('are replaced after so many texts, and nobody notices', async () => {
    await using worn = new StatementReader({ threads: 2, deadlineMs: 20_000, textsPerThread: 3 })
    const readings = await Promise.all(
      Array.from({ length: 20 }, (_, n) => worn.read(ask(`SELECT * FROM t${n}`, 's'))),
    )
    expect(readings.map(({ operations }) => operations[0]?.resource)).toEqual(
      Array.from({ length: 20 }, (_, n) => ({ type: 'Table', schema: 'public', table: `t${n}` })),
    )
  })

  it('leave nobody waiting when the reader is closed', async () => {
    const closing = new StatementReader()
    const pending = Array.from({ length: 5 }, () => closing.read(ask('SELECT 1', 's')))
    await closing.close()
    for (const reading of await Promise.all([...pending, closing.read(ask('SELECT 1', 's'))])) {
      expect(reading.opaqueBecause).toBe('the gateway is stopping')
    }
  })
})

describe('statements that wait', () => {
  it('are taken from each session in turn', () => {
    const waiting = new WaitingStatements<{ text: string; session: string }>()
    for (const text of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) waiting.add({ text, session: text.slice(0, 1) })
    const order = Array.from({ length: 7 }, () => waiting.next()?.text)
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3', undefined])
  })

  it('are turned away when a session has too many, and others are not', () => {
    const waiting = new WaitingStatements<{ text: string; session: string }>()
    let taken = 0
    while (waiting.add({ text: '', session: 'a' })) taken++
    expect(taken).toBe(256)
    expect(waiting.add({ text: '', session: 'b' })).toBe(true)
    waiting.next()
    expect(waiting.add({ text: '', session: 'a' })).toBe(true)
  })
})

it('decodes only valid UTF-8', () => {
  expect(decodeStatement(Buffer.from('SELECT é'))).toBe('SELECT é')
  expect(decodeStatement(Buffer.from([0x53, 0xc3, 0x28]))).toBeUndefined()
})
