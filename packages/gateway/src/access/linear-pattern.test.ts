import { expect, test } from 'vitest'
import { linearPattern, PatternInvalid } from './linear-pattern.ts'

test.each([
  ['(', 'cannot be read'],
  ['(?=a)', 'cannot be read'],
  ['(a)\\1', 'cannot be read'],
  ['a*', 'matches the empty text'],
  ['a'.repeat(1001), 'has more than 1000 characters'],
])('refuses %j', (pattern, why) => {
  expect(() => linearPattern(pattern)).toThrow(PatternInvalid)
  expect(() => linearPattern(pattern)).toThrow(why)
})

test('a pattern that backtracking engines take forever for is run in linear time', () => {
  // With RegExp this would outlast every timeout: thirty characters take more than a minute.
  expect(
    linearPattern('^(a+)+$')
      .matcher(`${'a'.repeat(100_000)}!`)
      .find(),
  ).toBe(false)
})
