import * as fc from 'fast-check'
import { fingerprintSync, loadModule } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import { readSql } from '../sql/read.fixture.ts'
import { shapeKey } from './shape-key.ts'

beforeAll(() => loadModule())

function shape(sql: string, encoding: BufferEncoding = 'utf8'): string | undefined {
  const padded = Buffer.from(`?'${sql}?'`, encoding)
  return shapeKey(padded, 2, padded.length - 2)
}

describe('the shape of a statement', () => {
  it.each([
    ['SELECT 1', 'SELECT ?'],
    ["SELECT a FROM t WHERE id=123 AND n = 'x''y'", "SELECT a FROM t WHERE id=? AND n = ?'"],
    ['SELECT 12345678901, 1.50, -3', 'SELECT ??, ?., -?'],
    ['SELECT "a""b", x1, t$2 FROM "T 1" WHERE a = $12', 'SELECT "a""b", x1, t$2 FROM "T 1" WHERE a = $12'],
    ["SELECT ''", "SELECT ?'"],
    ["SELECT 'a'\n'b'", "SELECT ?'\n?'"],
    ['', ''],
  ])('%s is %s', (sql, expected) => {
    expect(shape(sql)).toBe(expected)
  })

  it.each([
    'SELECT 1 -- x',
    'SELECT 1 /* x */',
    "SELECT E'x'",
    "SELECT e'x'",
    "SELECT B'1', X'1F'",
    "SELECT U&'x'",
    'SELECT U&"x"',
    "SELECT N'x'",
    'SELECT $$x$$',
    'SELECT $a$x$a$',
    "SELECT 'a\\'",
    'SELECT a\\b',
    "SELECT 'é'",
    'SELECT é',
    "SELECT 'a\0b'",
    'SELECT 1\0',
    'SELECT 1e5',
    'SELECT 1.',
    'SELECT .5',
    'SELECT 1.5.2',
    'SELECT 0x1F',
    'SELECT 1_000',
    'SELECT 1a',
    'SELECT $1a',
    "SELECT 'open",
    'SELECT "open',
    'SELECT a ? b',
    "SELECT 1'x'",
    'SELECT `a`',
    'SELECT {d}',
  ])('is for the real lexer to find in %j', (sql) => {
    expect(shape(sql)).toBeUndefined()
  })
})

it('is for the real lexer to find in what is longer than 8 KiB', () => {
  expect(shape(`SELECT ${'x'.repeat(8192 - 7)}`)).toBeDefined()
  expect(shape(`SELECT ${'x'.repeat(8192 - 6)}`)).toBeUndefined()
})

/** Values that fit one place of a statement; those of one column often, not always, have the same shape. */
const LITERALS = [
  fc.nat().map(String),
  fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String),
  fc.tuple(fc.nat(9999), fc.nat(9999)).map(([whole, part]) => `${whole}.${part}`),
  fc.string().map((value) => `'${value.replaceAll("'", "''")}'`),
  fc.constantFrom("'%'", "'.*'", '2147483647', '2147483648', '0', "'role'", "'search_path'", "''"),
]

const TEMPLATES = [
  'SELECT * FROM t WHERE a = ? AND b > ? OR c <> ?',
  'SELECT * FROM t WHERE a LIKE ? LIMIT ?',
  'SELECT a FROM t OFFSET ? FETCH FIRST ? ROWS ONLY',
  'INSERT INTO t VALUES (?, ?), (?, ?) ON CONFLICT (a) DO UPDATE SET b = ?',
  'UPDATE t SET a = ? WHERE b = ?',
  'UPDATE t SET a = ? WHERE b <> ? OR b = ?',
  'DELETE FROM t WHERE a > ? AND a < ?',
  'DELETE FROM t WHERE a BETWEEN -? AND ?',
  'DELETE FROM t WHERE a LIKE ? OR b ~ ?',
  'DELETE FROM t WHERE a + ? = a + ?',
  'DELETE FROM t WHERE CASE WHEN a = ? THEN b = ? ELSE b = ? END',
  'DELETE FROM t WHERE a IN (SELECT a FROM t WHERE b >= ?)',
  'MERGE INTO t USING (VALUES (?)) v(a) ON t.a = ? WHEN MATCHED THEN DELETE',
  'SELECT set_config(?, ?, true)',
  'SELECT nextval(?)',
  'SET application_name = ?',
  'SET search_path = ?',
  'SET transaction_read_only = ?',
  'SELECT f(?) FROM t ORDER BY ? ',
  'PREPARE p AS SELECT ?',
  'EXECUTE p(?)',
]

function read(sql: string) {
  try {
    return readSql(sql)
  } catch {
    return undefined
  }
}

describe('two statements of one shape', () => {
  const pair = fc.constantFrom(...TEMPLATES).chain((template) => {
    const places = template.split('?').length - 1
    const both = fc.array(fc.oneof(...LITERALS.map((literal) => fc.tuple(literal, literal))), {
      minLength: places,
      maxLength: places,
    })
    return both.map((values): [string, string] => {
      const fill = (which: 0 | 1) => {
        let n = 0
        return template.replaceAll('?', () => values[n++]?.[which] ?? '')
      }
      return [fill(0), fill(1)]
    })
  })

  it('are the same to the parser, and read alike unless the reading says that the text matters', () => {
    let compared = 0
    fc.assert(
      fc.property(pair, ([one, other]) => {
        const key = shape(one)
        if (key === undefined || key !== shape(other)) return
        const [first, second] = [read(one), read(other)]
        expect(first === undefined).toBe(second === undefined)
        if (first === undefined || second === undefined) return
        compared++
        expect(fingerprintSync(one)).toBe(fingerprintSync(other))
        expect(first.dependsOn).toBe(second.dependsOn)
        if (first.dependsOn === 'shape') expect(first).toEqual(second)
      }),
      { numRuns: 3000 },
    )
    expect(compared).toBeGreaterThan(200)
  })

  it('hold ASCII without backslashes, and close their quotes', () => {
    const alphabet = fc.constantFrom(...`'"\\$-/*.&Ue1 \n\0é?;xE`.split(''))
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 30 }), (sql) => {
        const key = shape(sql)
        if (key === undefined) return
        expect(sql).not.toMatch(/[^\n\x20-\x7e]|\\/)
        const unquoted = sql.replaceAll(/'(''|[^'])*'|"(""|[^"])*"/g, '')
        expect(unquoted).not.toMatch(/['"]/)
      }),
      { numRuns: 5000 },
    )
  })
})
