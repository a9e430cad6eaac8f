import { expect, test } from 'vitest'
import { capabilityOf, type Grant, neededOf } from './capability.ts'

const on = (table: string, verb: Grant['verb'], columns?: readonly string[]): Grant => ({
  verb,
  schema: 'public',
  table,
  ...(columns === undefined ? {} : { columns }),
})

test('the same privileges in any order, and however they are split up, are the same capability', () => {
  const one = capabilityOf(
    [on('b', 'select'), on('a', 'select', ['y', 'x']), on('b', 'select', ['z'])],
    ['s', 't'],
  )
  const other = capabilityOf(
    [on('a', 'select', ['x']), on('b', 'select'), on('a', 'select', ['y'])],
    ['t', 's'],
  )
  expect(one).toEqual(other)
  expect(one.grants).toEqual([on('a', 'select', ['x', 'y']), on('b', 'select')])
})

test('a table, some of its columns, and other columns are different capabilities', () => {
  const hashes = [undefined, ['x'], ['x', 'y'], ['x,y']].map(
    (columns) => capabilityOf([on('t', 'select', columns)]).hash,
  )
  expect(new Set(hashes).size).toBe(4)
})

test('a grant on no column is none', () => {
  expect(capabilityOf([on('t', 'select', [])])).toEqual(capabilityOf([]))
})

test('only reading is read-only', () => {
  expect(capabilityOf([on('t', 'select')]).readOnly).toBe(true)
  expect(capabilityOf([on('t', 'insert', ['x'])]).readOnly).toBe(false)
  expect(capabilityOf([on('t', 'select')], ['public']).readOnly).toBe(false)
})

test.each<[string, Grant, Grant, readonly Grant[]]>([
  [
    'columns of a table that is permitted',
    on('t', 'select', ['x']),
    on('t', 'select'),
    [on('t', 'select', ['x'])],
  ],
  [
    'the whole of what is permitted in part',
    on('t', 'select'),
    on('t', 'select', ['x']),
    [on('t', 'select', ['x'])],
  ],
  [
    'no column of what is permitted in part',
    on('t', 'select', []),
    on('t', 'select', ['x', 'y']),
    [on('t', 'select', ['x'])],
  ],
  [
    'columns of which one is permitted',
    on('t', 'update', ['x', 'z']),
    on('t', 'update', ['x', 'y']),
    [on('t', 'update', ['x'])],
  ],
  ['another table', on('u', 'select'), on('t', 'select'), []],
  ['another verb', on('t', 'delete'), on('t', 'select'), []],
])('a statement that needs %s gets what is both needed and permitted', (_what, need, may, gets) => {
  expect(neededOf([need], capabilityOf([may])).grants).toEqual(gets)
})

test('no column of a table that is permitted whole is any column: the table', () => {
  expect(neededOf([on('t', 'select', [])], capabilityOf([on('t', 'select')])).grants).toEqual([
    on('t', 'select'),
  ])
})
