import { describe, expect, test } from 'vitest'
import { patternDetectors } from './detect/detectors.ts'
import { detectionMask } from './detection-mask.ts'

const mask = detectionMask(patternDetectors(), true)

describe('the mask of what detectors find', () => {
  test('names the class in place of the value and leaves the rest', () => {
    expect(mask.apply('ana.lima@example.com called +1 415 555 2671', 'text')).toBe(
      '[pii.email] called [pii.phone]',
    )
  })

  test('leaves texts without anything as they are, and types that are no texts', () => {
    expect(mask.apply('nothing to see', 'text')).toBe('nothing to see')
    expect(mask.apply('4111111111111111', 'integer')).toBe('4111111111111111')
  })

  test('looks into the values and keys of JSON', () => {
    expect(
      mask.apply('{"to": "ana@example.com", "n": 12, "pan": 4111111111111111, "a@b.org": true}', 'json'),
    ).toBe('{"to": "[pii.email]", "n": 12, "pan": 0, "key4": true}')
  })
})
