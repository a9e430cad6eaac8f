import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Ff1 } from './ff1.ts'

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'
const K128 = '2b7e151628aed2a6abf7158809cf4f3c'
const K192 = `${K128}ef4359d8d580aa4f`
const K256 = `${K192}7f036d6f04fc6a94`
const T10 = '39383736353433323130'
const T11 = '3737373770717273373737'

/** The numeral string as the number that it writes. */
function numberOf(text: string, radix: number): bigint {
  return text.split('').reduce((sum, digit) => sum * BigInt(radix) + BigInt(DIGITS.indexOf(digit)), 0n)
}

// NIST, "FF1 samples" (the examples published with SP 800-38G), samples 1 to 9.
describe.each([
  [K128, 10, '', '0123456789', '2433477484'],
  [K128, 10, T10, '0123456789', '6124200773'],
  [K128, 36, T11, '0123456789abcdefghi', 'a9tv40mll9kdu509eum'],
  [K192, 10, '', '0123456789', '2830668132'],
  [K192, 10, T10, '0123456789', '2496655549'],
  [K192, 36, T11, '0123456789abcdefghi', 'xbj3kv35jrawxv32ysr'],
  [K256, 10, '', '0123456789', '6657667009'],
  [K256, 10, T10, '0123456789', '1001623463'],
  [K256, 36, T11, '0123456789abcdefghi', 'xs8a0azh2avyalyzuwd'],
])('with key %s, radix %i and tweak "%s"', (key, radix, tweak, plain, cipher) => {
  const ff1 = new Ff1(Buffer.from(key, 'hex'), radix, plain.length, Buffer.from(tweak, 'hex'))

  test('encrypts as the published sample says', () => {
    expect(ff1.encrypt(numberOf(plain, radix)).toString(radix)).toBe(cipher)
  })

  test('decrypts what it encrypted', () => {
    expect(ff1.decrypt(numberOf(cipher, radix))).toBe(numberOf(plain, radix))
  })
})

test('decrypts what it encrypted, whatever the radix and length', () => {
  const domain = fc
    .record({ radix: fc.integer({ min: 2, max: 65_536 }), length: fc.integer({ min: 2, max: 60 }) })
    .filter(({ radix, length }) => BigInt(radix) ** BigInt(length) >= 1_000_000n)
  fc.assert(
    fc.property(domain, fc.bigInt({ min: 0n, max: 2n ** 1000n }), fc.uint8Array(), (at, seed, tweak) => {
      const value = seed % BigInt(at.radix) ** BigInt(at.length)
      const ff1 = new Ff1(Buffer.from(K256, 'hex'), at.radix, at.length, tweak)
      const encrypted = ff1.encrypt(value)
      expect(encrypted).toBeLessThan(BigInt(at.radix) ** BigInt(at.length))
      expect(ff1.decrypt(encrypted)).toBe(value)
    }),
  )
})

test('refuses a domain that could be searched', () => {
  expect(() => new Ff1(Buffer.from(K256, 'hex'), 10, 5, Buffer.alloc(0))).toThrow(RangeError)
})
