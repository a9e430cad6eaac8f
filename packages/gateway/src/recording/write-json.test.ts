import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JournalLine } from './ports.ts'
import { MAX_NUMBER, MAX_STRING_UNIT, MAX_UTF8, writeJson, writeNumber, writeString } from './write-json.ts'

/** What is written into exactly the room that is promised to be enough; one byte stands in front of it. */
function written(most: number, write: (line: JournalLine) => void): string {
  const line = { memory: Buffer.alloc(1 + most), at: 1 }
  write(line)
  expect(line.at).toBeLessThanOrEqual(1 + most)
  return line.memory.toString('utf8', 1, line.at)
}
const jsonString = (text: string): string =>
  written(text.length * MAX_STRING_UNIT + 2, (line) => writeString(line, text))
const numberText = (value: number): string => written(MAX_NUMBER, (line) => writeNumber(line, value))

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

test('JSON that is there already is written as it is', () => {
  for (const text of ['', '["42"]', '["Zoë 東京 😀"]', '[null,""]']) {
    expect(written(text.length * MAX_UTF8, (line) => writeJson(line, text))).toBe(text)
  }
})

test.each([0, 7, 10, 99, 100, 999_999_999, 1e9, 1e9 + 1, 2 ** 31, 2 ** 32, 1_764_052_134_123, 1e18, -1, 0.5])(
  '%d is written as JSON.stringify writes it',
  (value) => {
    expect(numberText(value)).toBe(JSON.stringify(value))
  },
)

test('every whole number is written as JSON.stringify writes it', () => {
  fc.assert(fc.property(fc.maxSafeNat(), (value) => numberText(value) === JSON.stringify(value)))
})
