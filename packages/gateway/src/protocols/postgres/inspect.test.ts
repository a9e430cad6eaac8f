import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Catalog, Relation } from '../../access/catalog.ts'
import { catalogOf, columnOf, tableOf } from '../../access/catalog.fixture.ts'
import { combineReadings } from '../sql/combine-readings.ts'
import { readStatements } from '../sql/read-statement.ts'
import { resolveReading } from './inspect.ts'
import { SessionNames } from './session-names.ts'

beforeAll(() => loadModule())

function table(schema: string, name: string): Relation {
  const columns = [columnOf('id', 1, { type: 'integer', nullable: false }), columnOf('note', 2)]
  return tableOf(`${schema}.${name}`, [], { columns })
}

const CATALOG: Catalog = catalogOf(
  [table('public', 'orders'), table('sales', 'orders'), table('public', 'pg_odd')],
  { schemas: ['public', 'sales'] },
)

const NAMES = new SessionNames(CATALOG.searchPath).current(CATALOG.searchPath)

function resolve(sql: string) {
  return resolveReading(combineReadings(readStatements(parseSync(sql))), CATALOG, NAMES)
}

function tables(sql: string): readonly string[] {
  return resolve(sql).operations.map(({ resource }) =>
    resource.type === 'Table' ? `${resource.schema}.${resource.table}` : resource.type,
  )
}

describe('the names of a statement', () => {
  it.each([
    ['SELECT * FROM orders', ['public.orders']],
    ['SELECT * FROM sales.orders', ['sales.orders']],
    ['SELECT * FROM unheard_of', ['public.unheard_of']],
    ['SELECT * FROM pg_class', ['pg_catalog.pg_class']],
    ['SELECT * FROM pg_odd', ['pg_catalog.pg_odd', 'public.pg_odd']],
    ['SELECT * FROM information_schema.tables', ['information_schema.tables']],
    ['SELECT * FROM orders, public.orders o', ['public.orders']],
    ['DROP SCHEMA sales', ['Schema']],
  ])('of %s mean %j', (sql, expected) => {
    expect(tables(sql)).toEqual(expected)
  })
})

it('is no more than a connection when a statement touches nothing', () => {
  for (const sql of ['SELECT 1', 'BEGIN', 'SHOW server_version', ';']) {
    expect(resolve(sql).operations).toEqual([{ action: 'connect', resource: { type: 'Target' } }])
  }
})

it('finds IS NOT NULL trivial where the column cannot be null', () => {
  expect(resolve('DELETE FROM orders WHERE id IS NOT NULL').facts.whereIsTrivial).toBe(true)
  expect(resolve('DELETE FROM orders WHERE note IS NOT NULL').facts.whereIsTrivial).toBe(false)
  expect(resolve('DELETE FROM unheard_of WHERE id IS NOT NULL').facts.whereIsTrivial).toBe(false)
})
