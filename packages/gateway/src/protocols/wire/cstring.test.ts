import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readCString } from './cstring.ts'

it.each([
  ['a name', 'ab\0c', 0, 4, { text: 'ab', next: 3 }],
  ['no name', 'ab\0\0', 3, 4, { text: '', next: 4 }],
  ['one that does not end', 'abc', 0, 3, undefined],
  ['one that ends after the message', 'ab\0', 0, 2, undefined],
  ['nothing', 'ab\0', 3, 3, undefined],
])('%s is read', (_, bytes, at, end, expected) => {
  expect(readCString(Buffer.from(bytes), at, end)).toEqual(expected)
})

it('what a name is does not hang on the names before it', () => {
  const name = fc.oneof(
    fc.constantFrom('P0_1', 'P0_2', 'P0_', 'é', 'x'.repeat(70)).map((text) => Buffer.from(text)),
    fc.uint8Array({ max: 255, maxLength: 6 }).map((bytes) => Buffer.from(bytes).filter((byte) => byte !== 0)),
    fc.constantFrom('e9', 'c3a9', 'efbfbd', 'ff').map((hex) => Buffer.from(hex, 'hex')),
  )
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 20 }), (names) => {
      for (const one of names) {
        const bytes = Buffer.concat([one, Buffer.from('\0rest')])
        expect(readCString(bytes, 0, bytes.length)).toEqual({
          text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(one),
          next: one.length + 1,
        })
        expect(readCString(bytes, 0, one.length)).toBe(undefined)
      }
    }),
    { numRuns: 2000 },
  )
})
