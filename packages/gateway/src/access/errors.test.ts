import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { AccessDenied, ERROR_CODES, SallyportError } from './errors.ts'

const reference = readFileSync(new URL('../../../../docs/reference/errors.md', import.meta.url), 'utf8')
const rows = [...reference.matchAll(/^\| `([A-Z_]+)` \|(.*)\|$/gm)].map(([, code = '', cells = '']) => ({
  code,
  cells: cells.split('|').map((cell) => cell.trim()),
}))

test('the reference has a line for every code, in the same order, and for no other', () => {
  expect(rows.map(({ code }) => code)).toEqual([...ERROR_CODES])
})

test.each(rows)('the line of $code says what, why, and what to do', ({ cells }) => {
  expect(cells).toHaveLength(3)
  expect(cells.every((cell) => cell.endsWith('.') && cell.length > 10)).toBe(true)
})

test('what is not ours becomes INTERNAL, and only its cause knows why', () => {
  const cause = new Error('password=hunter2')
  const error = SallyportError.from(cause)
  expect([error.code, error.cause]).toEqual(['INTERNAL', cause])
  expect(error.message).not.toContain('hunter2')
})

test('what is ours stays as it is', () => {
  const error = new AccessDenied('ACCESS_POLICY_DENIED', 'no', { policies: ['a'] })
  expect(SallyportError.from(error)).toBe(error)
  expect([error.name, error.policies]).toEqual(['AccessDenied', ['a']])
})
