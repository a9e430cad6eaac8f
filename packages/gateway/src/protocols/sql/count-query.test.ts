import { deparseSync } from 'pgsql-deparser'
import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, test } from 'vitest'
import { countQuery, type CountQuery } from './count-query.ts'

beforeAll(() => loadModule())

const written = (node: unknown): string =>
  deparseSync(node as Parameters<typeof deparseSync>[0], { pretty: false })
const count = (sql: string): CountQuery => countQuery(sql, { parse: parseSync, deparse: written })

describe('what is counted', () => {
  test.each([
    ['DELETE FROM notes', 'SELECT pg_catalog.count(*) FROM notes', []],
    ['DELETE FROM notes WHERE id = $1', 'SELECT pg_catalog.count(*) FROM notes WHERE id = $1', [1]],
    [
      'UPDATE ONLY "Odd"."Name" AS a SET x = $1 WHERE a.id = ANY ($2)',
      'SELECT pg_catalog.count(*) FROM ONLY "Odd"."Name" AS a WHERE a.id = ANY ($2)',
      [2],
    ],
    [
      'DELETE FROM notes n USING authors a WHERE a.id = n.author',
      'SELECT pg_catalog.count(*) FROM notes AS n WHERE EXISTS (SELECT FROM authors AS a WHERE a.id = n.author)',
      [],
    ],
    [
      'WITH old AS (SELECT id FROM notes) DELETE FROM notes WHERE id IN (SELECT id FROM old)',
      'WITH old AS (SELECT id FROM notes) SELECT pg_catalog.count(*) FROM notes WHERE id IN (SELECT id FROM old)',
      [],
    ],
    [
      'INSERT INTO notes SELECT * FROM other WHERE n > $1',
      'SELECT pg_catalog.count(*) FROM ( SELECT * FROM other WHERE n > $1 ) AS inserted',
      [1],
    ],
    ['TRUNCATE notes', 'SELECT pg_catalog.count(*) FROM notes', []],
    ['DROP TABLE IF EXISTS app.notes', 'SELECT pg_catalog.count(*) FROM app.notes', []],
  ])('%s', (sql, counted, parameters) => {
    expect(count(sql)).toEqual({ kind: 'query', sql: counted, parameters })
  })

  test.each([
    ['INSERT INTO notes VALUES (1), (2), ($1)', 3],
    ['INSERT INTO notes DEFAULT VALUES', 1],
  ])('%s has its rows in its text', (sql, rows) => {
    expect(count(sql)).toEqual({ kind: 'rows', rows })
  })

  test.each([
    'WITH gone AS (DELETE FROM a RETURNING id) DELETE FROM b WHERE id IN (SELECT id FROM gone)',
    'WITH gone AS (DELETE FROM a RETURNING id) INSERT INTO b SELECT id FROM gone',
    'DELETE FROM notes WHERE CURRENT OF c',
    'MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE',
    'TRUNCATE a, b',
    'DELETE FROM a; DELETE FROM b',
    'ALTER TABLE notes ADD COLUMN x int',
    'SELECT 1',
  ])('%s is not', (sql) => {
    expect(count(sql).kind).toBe('none')
  })

  test('what is written out as something else is not', () => {
    const lies = { parse: parseSync, deparse: () => 'SELECT pg_catalog.count(*) FROM notes WHERE id = 2' }
    expect(countQuery('DELETE FROM notes WHERE id = 1', lies)).toEqual({
      kind: 'none',
      because: 'the query that would count them cannot be written down exactly',
    })
  })
})
