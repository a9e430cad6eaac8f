import { expect, test } from 'vitest'
import { jsonValue, typeName } from './postgres-values.ts'

test.each<[string, number, string | null, unknown]>([
  ['NULL', 25, null, null],
  ['bool', 16, 't', true],
  ['bool', 16, 'f', false],
  ['int4', 23, '-2147483648', -2_147_483_648],
  ['float8', 701, '1.5e-7', 1.5e-7],
  ['float8 NaN', 701, 'NaN', 'NaN'],
  ['float8 infinity', 701, '-Infinity', '-Infinity'],
  ['int8', 20, '9007199254740993', '9007199254740993'],
  ['numeric', 1700, '0.10', '0.10'],
  ['bytea', 17, '\\xdeadbeef', '\\xdeadbeef'],
  ['timestamptz', 1184, '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00'],
  ['an array', 1007, '{1,2}', '{1,2}'],
  ['jsonb', 3802, '{"a": [1, null, "x"]}', { a: [1, null, 'x'] }],
  ['a big number in json', 114, '{"id": 9007199254740993}', { id: '9007199254740993' }],
  ['a fraction in json', 114, '[1.5]', [1.5]],
  ['a type of the database', 16_405, 'shipped', 'shipped'],
])('%s: %i %j', (_, oid, text, expected) => {
  expect(jsonValue(oid, text)).toEqual(expected)
})

test.each([
  [25, 'text'],
  [1184, 'timestamptz'],
  [16_405, 'oid 16405'],
])('type %i is called %s', (oid, expected) => {
  expect(typeName(oid)).toBe(expected)
})
