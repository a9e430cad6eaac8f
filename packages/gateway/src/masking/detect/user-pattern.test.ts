import { expect, test } from 'vitest'
import { userPatternDetector } from './user-pattern.ts'

test('finds what the pattern says, with its name, line by line', () => {
  const detector = userPatternDetector({ name: 'customer-number', pattern: 'K-[0-9]{6}' })
  expect(detector.find('first\nK-123456 and K-654321')).toEqual([
    { entity: 'custom', rule: 'customer-number', start: 6, end: 14, score: 1 },
    { entity: 'custom', rule: 'customer-number', start: 19, end: 27, score: 1 },
  ])
})

test.each([
  ['(', 'cannot be read'],
  ['(?=a)', 'cannot be read'],
  ['(a)\\1', 'cannot be read'],
  ['a*', 'matches the empty text'],
  ['a'.repeat(1001), 'has more than 1000 characters'],
])('refuses %j', (pattern, why) => {
  expect(() => userPatternDetector({ name: 'mine', pattern })).toThrow(why)
})

test('a pattern that backtracking engines take forever for is run in linear time', () => {
  const detector = userPatternDetector({ name: 'evil', pattern: '^(a+)+$' })
  // With RegExp this would outlast every timeout: thirty characters take more than a minute.
  expect(detector.find(`${'a'.repeat(100_000)}!`)).toEqual([])
})
