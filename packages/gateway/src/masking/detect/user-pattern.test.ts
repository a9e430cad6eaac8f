import { expect, test } from 'vitest'
import { userPatternDetector } from './user-pattern.ts'

test('finds what the pattern says, for its class, line by line', () => {
  const detector = userPatternDetector({ dataClass: 'crm.number', pattern: 'K-[0-9]{6}' })
  expect(detector.find('first\nK-123456 and K-654321')).toEqual([
    { entity: 'custom', rule: 'crm.number', start: 6, end: 14, score: 1 },
    { entity: 'custom', rule: 'crm.number', start: 19, end: 27, score: 1 },
  ])
})
