import { describe, expect, test } from 'vitest'
import { DetectionMasks } from './detection-mask.ts'

const masks = new DetectionMasks()
const mask = masks.for([], false)

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

  test('finds what users have written patterns for, beside the rest', () => {
    const own = masks.for([{ dataClass: 'crm.project', pattern: 'project [a-z]+' }], false)
    expect(own.apply('ask a@example.com about project bluewhale', 'text')).toBe(
      'ask [pii.email] about [crm.project]',
    )
    expect(own.apply('{"x": "project bluewhale"}', 'json')).toBe('{"x": "[crm.project]"}')
    expect(mask.apply('project bluewhale', 'text')).toBe('project bluewhale')
  })

  test('finds names and places only where that is wanted', () => {
    const text = 'I met Ana Lima in Portugal'
    expect(masks.for([], true).apply(text, 'text')).toBe('I met [pii.name] in [pii.location]')
    expect(mask.apply(text, 'text')).toBe(text)
  })
})
