import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonString } from './json-string.ts'

test.each([
  ['select 1', '"select 1"'],
  ['', '""'],
  ['a"b', '"a\\"b"'],
  ['a\\b', '"a\\\\b"'],
  ['a\nb', '"a\\nb"'],
  ['\0', '"\\u0000"'],
  ['\u007f\u0080\u2028', '"\u007f\u0080\u2028"'],
  ['Zoë 東京', '"Zoë 東京"'],
  ['😀', '"😀"'],
  ['\ud83d', '"\\ud83d"'],
  ['\udc00', '"\\udc00"'],
])('%j is written as %s', (text, expected) => {
  expect(jsonString(text)).toBe(expected)
})

test('every text is written as JSON.stringify writes it', () => {
  const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code))
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.array(unit).map((units) => units.join('')),
  )
  fc.assert(fc.property(text, (value) => jsonString(value) === JSON.stringify(value)))
})

test('every single code unit is written as JSON.stringify writes it', () => {
  for (let code = 0; code <= 0xffff; code += 1) {
    const text = String.fromCharCode(code)
    if (jsonString(text) !== JSON.stringify(text)) expect.fail(`code unit ${code}`)
  }
})
