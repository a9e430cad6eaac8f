import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { inCedar, lineage, partsOf, schemaEntity, tableEntity } from './entity-ids.ts'
import { SHOP } from './policy-fixtures.ts'

const name = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('a', 'A', '_', '"', '.', '/', ' ', '$', '1', '\\'), minLength: 1 }),
)
const targetName = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,10}$/)

test.each([
  ['public', 'customers', 'shop/public.customers'],
  ['public', 'odd.name', 'shop/public."odd.name"'],
  ['odd"schema', 'Orders', 'shop/"odd""schema".Orders'],
  ['public', '1st', 'shop/public."1st"'],
  ['public', 'größe', 'shop/public."größe"'],
])('writes %s and %s as a table id', (schema, table, id) => {
  expect(tableEntity(SHOP, schema, table).id).toBe(id)
})

test('lists a table, then all that it is in', () => {
  expect(lineage(SHOP, { type: 'Table', schema: 'public', table: 'orders' }).map(inCedar)).toEqual([
    'Table::"shop/public.orders"',
    'Schema::"shop/public"',
    'Database::"shop/shop"',
    'Target::"shop"',
  ])
})

test('reads every table id back into what it was made of', () => {
  fc.assert(
    fc.property(targetName, name, name, (target, schema, table) => {
      const { id } = tableEntity({ ...SHOP, name: target }, schema, table)
      expect(partsOf(id)).toEqual({ target, parts: [schema, table] })
    }),
  )
})

test('gives two different tables two different ids', () => {
  const key = fc.tuple(targetName, name, name)
  fc.assert(
    fc.property(key, key, (a, b) => {
      const [x, y] = [a, b].map(([target, s, t]) => tableEntity({ ...SHOP, name: target }, s, t).id)
      expect(x === y).toBe(JSON.stringify(a) === JSON.stringify(b))
    }),
  )
})

test('gives a schema and a table different ids even when their names look alike', () => {
  expect(schemaEntity(SHOP, 'public.orders').id).not.toBe(tableEntity(SHOP, 'public', 'orders').id)
})

test.each(['shop/', 'shop/a..b', 'shop/"plain"', 'shop/a b', 'shop/"open', 'shop/a.'])(
  'has no parts for %s, which is nobody’s id',
  (id) => expect(partsOf(id)).toBeUndefined(),
)
