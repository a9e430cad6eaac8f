import { loadModule } from 'libpg-query'
import { beforeAll, expect, test } from 'vitest'
import { catalogOf, tableOf } from '../../access/catalog.fixture.ts'
import type { Routine } from '../../access/catalog.ts'
import { readSql } from './read.fixture.ts'

const routine = (name: string, volatility: Routine['volatility']): Routine => ({
  schema: 'public',
  name,
  kind: 'function',
  arguments: 'text',
  volatility,
  returnsSet: false,
  securityDefiner: false,
  language: 'plpgsql',
})
const CATALOG = catalogOf([tableOf('customers', ['id', 'name', 'ssn'])], {
  functions: [routine('audit_it', 'volatile'), routine('tidy', 'immutable')],
})

beforeAll(loadModule)

function kinds(sql: string): string[] {
  return readSql(sql, CATALOG).flow.inferences.map(({ column, kind }) => `${column.column} ${kind}`)
}

test.each([
  ["SELECT CASE WHEN ssn LIKE '1%' THEN 1/0 ELSE 1 END FROM customers", ['ssn pattern']],
  ["SELECT CASE WHEN substr(ssn, 1, 1) = '1' THEN pg_sleep(1) END FROM customers", ['ssn pattern']],
  ["SELECT CASE ssn WHEN '1' THEN 1/0 ELSE 1 END FROM customers", ['ssn constant']],
  ['SELECT CASE WHEN ssn = $1 THEN name END FROM customers', ['ssn equality']],
  ['SELECT CASE WHEN ssn IS NULL THEN name END FROM customers', []],
  ['SELECT CASE WHEN true THEN ssn END FROM customers', []],
])('the condition of a branch tells: %s', (sql, expected) => {
  expect(kinds(sql)).toEqual(expected)
})

test.each([
  ["SELECT pg_notify('ch', ssn) FROM customers", ['ssn other']],
  ['SELECT pg_advisory_lock(ssn::bigint) FROM customers', ['ssn other']],
  ['SELECT pg_sleep(length(ssn)) FROM customers', ['ssn other']],
  ['SELECT audit_it(ssn) FROM customers', ['ssn other']],
  ['SELECT nobody_knows(ssn) FROM customers', ['ssn other']],
  ['SELECT tidy(ssn) FROM customers', []],
  ['SELECT upper(ssn) FROM customers', []],
])('what a function does tells what it was given: %s', (sql, expected) => {
  expect(kinds(sql)).toEqual(expected)
})
