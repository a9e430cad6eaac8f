import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Mask } from '../access/masking.ts'
import { maskJson, readJsonPath } from './mask-json.ts'
import { redact } from './redact.ts'

const mask: Mask = { dataClass: 'pii.test', method: 'redact', apply: redact }
const pathOf = (text: string) => readJsonPath(text) ?? []

describe('the whole of a JSON text', () => {
  test('keeps its shape, without its values and keys', () => {
    expect(maskJson('{"ana@x.org": {"n": [12, 1e9, true, null]}, "b": "Ana"}', mask)).toBe(
      '{"key1": {"key1": [0, 0, false, null]}, "key2": "[redacted]"}',
    )
  })

  test('keeps keys that are known to be no data', () => {
    expect(maskJson('{"ssn":"1","x":"2"}', mask, { keepsKey: (key) => key === 'ssn' })).toBe(
      '{"ssn":"[redacted]","key2":"[redacted]"}',
    )
  })

  test('holds nothing of what was in it, and is JSON', () => {
    const secret = fc.stringMatching(/^[A-Z]{8}$/)
    const strings = fc.oneof(secret, fc.string())
    fc.assert(
      fc.property(fc.object({ key: strings, values: [secret, fc.double(), fc.boolean()] }), (value) => {
        const masked = maskJson(JSON.stringify(value), mask)
        expect(masked).not.toMatch(/[A-Z]{8}/)
        JSON.parse(masked)
      }),
    )
  })
})

describe('paths in a JSON text', () => {
  const document =
    '{ "ssn": "1", "addr": {"zip":"9", "n": 12345678901234567890}, "cards":[{"no":"4"},{"no":"5"}] }'

  test.each([
    ['$.ssn', document.replace('"1"', '"[redacted]"')],
    ['addr.zip', document.replace('"9"', '"[redacted]"')],
    [
      '$.addr',
      document.replace('{"zip":"9", "n": 12345678901234567890}', '{"key1":"[redacted]", "key2": 0}'),
    ],
    ['cards[*].no', document.replace('"4"', '"[redacted]"').replace('"5"', '"[redacted]"')],
    ['cards.no', document.replace('"4"', '"[redacted]"').replace('"5"', '"[redacted]"')],
    ['nothing.here', document],
  ])('%s masks what it leads to and leaves the rest as it is written', (path, expected) => {
    expect(maskJson(document, mask, { paths: [pathOf(path)] })).toBe(expected)
  })

  test('every one of doubled keys is masked', () => {
    expect(maskJson('{"a":"1","a":"2"}', mask, { paths: [['a']] })).toBe(
      '{"a":"[redacted]","a":"[redacted]"}',
    )
  })

  test('a key is found however it is written', () => {
    expect(maskJson('{"\\u0061":"1"}', mask, { paths: [['a']] })).toBe('{"\\u0061":"[redacted]"}')
  })
})

test.each(['', '{', '{"a":1}}', '[1,]', '{"a" 1}', "{'a':1}", '01', '"\\x"', 'nul', '['.repeat(101)])(
  'what is no JSON or nested too deep (%j) is replaced whole',
  (text) => {
    expect(maskJson(text, mask)).toBe('"[redacted]"')
  },
)

test.each([
  ['$.ssn', ['ssn']],
  ['addr.zip', ['addr', 'zip']],
  ['$["e-mail"].x', ['e-mail', 'x']],
  ['$', []],
  ['a[0][*].b', ['a', 'b']],
])('reads the path %s', (text, expected) => {
  expect(readJsonPath(text)).toEqual(expected)
})

test.each(['', 'a..b', 'a[', 'a b', '$[x]'])('refuses %j as a path', (text) => {
  expect(readJsonPath(text)).toBeUndefined()
})
