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

test.each([
  ["SELECT 1 FROM customers, unnest(string_to_array(ssn, '1'))", ['ssn other']],
  ["SELECT unnest(regexp_split_to_array(ssn, '1')) FROM customers", ['ssn other']],
  ["SELECT 1 FROM customers, unnest(ARRAY[string_to_array(ssn, '1')])", ['ssn other']],
  ["SELECT 1 FROM customers, jsonb_array_elements(to_jsonb(string_to_array(ssn, '1')))", ['ssn other']],
  ['SELECT jsonb_array_elements(jsonb_build_array(ssn) - ssn) FROM customers', ['ssn other']],
  [`SELECT 1 FROM customers, JSON_TABLE(ssn, '$.a ? (@ > 1)' COLUMNS (a int PATH '$')) j`, ['ssn pattern']],
  [
    `SELECT 1 FROM customers, XMLTABLE('/a[. > 1]' PASSING (ssn::xml) COLUMNS x text PATH '.') t`,
    ['ssn pattern'],
  ],
  ['SELECT unnest(ssn) FROM customers', []],
  ['SELECT unnest(ARRAY[ssn, name]) FROM customers', []],
  ['SELECT unnest(ARRAY(SELECT ssn FROM customers))', []],
  ['SELECT unnest(array_agg(ssn)) FROM customers', []],
  ["SELECT jsonb_array_elements(ssn->'items') FROM customers", []],
  ['SELECT key FROM customers c, jsonb_each_text(to_jsonb(c))', []],
  [`SELECT a FROM customers, JSON_TABLE(ssn, '$.items[*]' COLUMNS (a int PATH '$')) j`, []],
])('how many parts there are tells of a value only where its parts were made of it: %s', (sql, expected) => {
  expect(kinds(sql)).toEqual(expected)
})

test('an array of rows comes apart into the columns of the row', () => {
  const { outputs } = readSql('SELECT * FROM unnest((SELECT array_agg(c) FROM customers c))', CATALOG).flow
  expect(outputs === 'unknown' ? outputs : outputs.length).toBe(3)
})

test.each([
  ["SELECT pg_get_indexdef('i'::regclass)", 'pg_index indpred'],
  ["SELECT pg_get_partition_constraintdef('p'::regclass)", 'pg_class relpartbound'],
  [`SELECT trim(both '"' from pg_get_indexdef('i'::regclass))`, 'pg_index indpred'],
])('a definition as the target writes it out is known for one: %s', (sql, expected) => {
  const { outputs } = readSql(sql, CATALOG).flow
  if (outputs === 'unknown') throw new Error('its result is not known')
  expect(outputs.map((one) => one.isDefinition)).toEqual([true])
  const sources = outputs.flatMap((one) => (one.sources === 'anything' ? [] : one.sources))
  expect(sources.map(({ name, column }) => `${name} ${column}`)).toContain(expected)
})

test.each([
  "SELECT reverse(pg_get_indexdef('i'::regclass))",
  "SELECT trim(both 'CREAT' from pg_get_indexdef('i'::regclass))",
])('what is made of a definition is none, and hidden whole: %s', (sql) => {
  const { outputs } = readSql(sql, CATALOG).flow
  expect(outputs).toMatchObject([{ isPlain: false }])
  expect(outputs === 'unknown' ? [] : outputs.map((one) => one.isDefinition)).toEqual([undefined])
})
