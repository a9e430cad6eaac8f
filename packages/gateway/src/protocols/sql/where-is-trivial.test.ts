import { loadModule } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import { catalogOf, columnOf, tableOf } from '../../access/catalog.fixture.ts'
import { readSql } from './read.fixture.ts'

beforeAll(() => loadModule())

function readWhere(where: string) {
  return readSql(`DELETE FROM orders WHERE ${where}`)
}

describe('a WHERE that lets every row through', () => {
  it.each([
    'true',
    '1=1',
    "'a' = 'b'",
    "'a' LIKE '%'",
    '$1 = 1',
    'random() < 2',
    'id = id',
    'orders.id >= orders.id',
    'NOT false',
    'NOT (id <> id)',
    'NOT NOT id = id',
    'id = 1 OR true',
    'id = 1 OR 1 = 1',
    'id IS NULL OR id IS NOT NULL',
    'id = 1 OR id <> 1',
    'id < 5 OR id >= 5',
    'paid OR NOT paid',
    'COALESCE(true, false)',
    'COALESCE(id = id, true)',
    'CASE WHEN id = 1 THEN true ELSE true END',
    '(id = id) IS TRUE',
    '(id = 5) IS NOT UNKNOWN',
    'id IS NOT DISTINCT FROM id',
    'id IN (id, 5)',
    'id BETWEEN id AND id',
    'id BETWEEN -2147483648 AND 2147483647',
    'id > -2147483648',
    '-2147483648 < id',
    'id <> 2147483647',
    "name LIKE '%%'",
    "name ~ '.*'",
    'id IN (SELECT id FROM orders)',
    'id IN (SELECT id FROM orders WHERE true)',
    'EXISTS (SELECT 1)',
    'EXISTS (SELECT 1 FROM customers WHERE customers.id = 1)',
    '(SELECT count(*) FROM orders WHERE total > 0) > 0',
    'true AND 1=1',
    'id = id + 0',
    '0 + id = id',
    'id * 1 = id / 1',
    'id * 0 = 0',
    "name = name || ''",
    'length(name) >= 0',
    'abs(id) > -1',
    '0 <= abs(id)',
    'id = ANY (ARRAY (SELECT id FROM orders))',
  ])('%s', (where) => {
    expect(readWhere(where).facts).toMatchObject({ hasWhere: true, whereIsTrivial: true })
  })
})

describe('a WHERE that picks rows', () => {
  it.each([
    'id = 1',
    'id = $1',
    'false',
    'id + 1 = 5',
    'id * 1 = 5',
    // The whole amounts, where the column has decimals.
    'total % 1 = 0',
    'id = id + 1',
    'length(name) >= 1',
    'abs(id) >= total',
    'id = ANY (ARRAY (SELECT customer_id FROM customers))',
    'id = ANY (ARRAY[1, 2])',
    'id IS DISTINCT FROM 5',
    'id = 1 AND true',
    'id = 1 OR false',
    'id > 5',
    'id < 5 OR id >= 100',
    'id <> 1',
    'age + 1 = age + 2',
    'paid',
    'NOT paid',
    'deleted_at IS NOT NULL',
    'id IN (1, 2)',
    "name LIKE 'a%'",
    'id IN (SELECT id FROM orders WHERE total > 5)',
    'customer IN (SELECT id FROM customers)',
    'EXISTS (SELECT 1 FROM customers c WHERE c.id = orders.customer)',
    'CURRENT OF c',
    'COALESCE(deleted, false)',
    'CASE WHEN id = 1 THEN true ELSE false END',
    'lower(name) = $1',
  ])('%s', (where) => {
    expect(readWhere(where).facts).toMatchObject({ hasWhere: true, whereIsTrivial: false })
  })
})

describe('the rows that a statement changes', () => {
  it('has no WHERE when any part of it has none', () => {
    const reading = readSql('WITH x AS (DELETE FROM a RETURNING 1) UPDATE b SET c = 1 WHERE id = 1')
    expect(reading.facts.hasWhere).toBe(false)
  })

  it('counts a join that mentions only the other relation as none', () => {
    const reading = readSql('DELETE FROM orders o USING customers c WHERE c.id = 1')
    expect(reading.facts.whereIsTrivial).toBe(true)
  })

  it('counts the conditions of MERGE', () => {
    const trivial = 'MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE'
    expect(readSql(trivial).facts.whereIsTrivial).toBe(true)
    const picked = 'MERGE INTO a USING b ON true WHEN MATCHED AND a.id = 1 THEN DELETE'
    expect(readSql(picked).facts.whereIsTrivial).toBe(false)
  })

  it('counts IS NOT NULL as none where the column cannot be null', () => {
    const id = columnOf('id', 1, { nullable: false })
    const catalog = catalogOf([tableOf('orders', [], { columns: [id, columnOf('note', 2)] })])
    const isTrivial = (sql: string) => readSql(sql, catalog).facts.whereIsTrivial
    expect(isTrivial('DELETE FROM orders WHERE id IS NOT NULL')).toBe(true)
    expect(isTrivial('DELETE FROM orders WHERE id IS DISTINCT FROM NULL')).toBe(true)
    expect(isTrivial('DELETE FROM orders WHERE note IS DISTINCT FROM NULL')).toBe(false)
    expect(isTrivial('DELETE FROM orders WHERE id IS NOT NULL AND note IS NOT NULL')).toBe(false)
    expect(isTrivial('DELETE FROM unheard_of WHERE id IS NOT NULL')).toBe(false)
  })

  it('does not judge the WHERE of a SELECT', () => {
    expect(readSql('SELECT * FROM a WHERE 1=1').facts.whereIsTrivial).toBe(false)
  })
})
