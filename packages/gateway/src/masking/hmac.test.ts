import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Hmac } from './hmac.ts'

// RFC 4231, §4.2, §4.3 and §4.7.
test.each([
  ['0b'.repeat(20), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  [
    Buffer.from('Jefe').toString('hex'),
    'what do ya want for nothing?',
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    'aa'.repeat(131),
    'Test Using Larger Than Block-Size Key - Hash Key First',
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
])('with the key %s, "%s" has the published digest', (key, message, digest) => {
  expect(new Hmac(Buffer.from(key, 'hex')).digest(message).toString('hex')).toBe(digest)
})

test('digests as the platform does, whatever key and message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'grapheme' }), (key, message) => {
      expect(new Hmac(key).digest(message)).toEqual(createHmac('sha256', key).update(message).digest())
    }),
  )
})
