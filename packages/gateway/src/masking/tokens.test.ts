import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ValueKind } from '../access/masking.ts'
import { keysOf } from './mask-keys.fixture.ts'
import { Tokens } from './tokens.ts'

const tokens = new Tokens(keysOf('here')('token pii.ssn'))

/** A generator of PostgreSQL's text form, and the pattern that tokens of that kind have. */
const digits = (length: number) => fc.stringMatching(new RegExp(`^\\d{${length}}$`))
const int = (bits: bigint) => fc.bigInt({ min: -(2n ** bits), max: 2n ** bits - 1n }).map(String)
const day = fc
  .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10))
const clock = fc
  .record({ h: fc.nat(23), m: fc.nat(59), s: fc.nat(59), f: fc.nat(999_999) })
  .map(({ h, m, s, f }) => {
    const fraction = String(f).padStart(6, '0').replace(/0+$/, '')
    return `${[h, m, s].map((n) => String(n).padStart(2, '0')).join(':')}${fraction && `.${fraction}`}`
  })
const offset = fc.constantFrom('', '+00', '-08', '+05:30', '+00:19:32')
const decimal = fc
  .tuple(fc.constantFrom('', '-'), fc.bigInt({ min: 0n, max: 10n ** 25n }), fc.nat(8))
  .chain(([sign, whole, scale]) =>
    digits(scale).map((fraction) => `${sign}${whole}${scale === 0 ? '' : `.${fraction}`}`),
  )
const ipv4 = fc.ipV4()

describe.each<[string, ValueKind, fc.Arbitrary<string>, RegExp]>([
  ['smallint', 'integer', int(15n), /^-?\d{1,5}$/],
  ['integer', 'integer', int(31n), /^-?\d{1,10}$/],
  ['bigint', 'integer', int(63n), /^-?\d{1,19}$/],
  ['numeric', 'numeric', decimal, /^-?\d+(\.\d+)?$/],
  ['uuid', 'uuid', fc.uuid(), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  ['date', 'date', day, /^\d{4}-\d\d-\d\d$/],
  ['timestamp', 'timestamp', fc.tuple(day, clock).map((of) => of.join(' ')), /^\d{4}-\d\d-\d\d [\d:.]+$/],
  ['time', 'time', fc.tuple(clock, offset).map((of) => of.join('')), /^\d\d:\d\d:\d\d(\.\d+)?([+-][\d:]+)?$/],
  ['inet v4', 'inet', ipv4, /^\d+\.\d+\.\d+\.\d+$/],
  ['inet v4 with prefix', 'inet', fc.tuple(ipv4, fc.nat(32)).map((of) => of.join('/')), /^[\d.]+\/\d+$/],
  ['bytea', 'bytea', fc.uint8Array().map((of) => `\\x${Buffer.from(of).toString('hex')}`), /^\\x[0-9a-f]+$/],
  ['text', 'text', fc.string({ unit: 'grapheme' }), /./],
  ['ssn', 'text', digits(9).map((of) => of.replace(/(...)(..)(....)/, '$1-$2-$3')), /^\d{3}-\d\d-\d{4}$/],
  ['phone', 'text', digits(10).map((of) => `+44 (0) ${of}`), /^\+44 \(\d\) \d{10}$/],
  ['card', 'text', digits(16), /^\d{16}$/],
  ['iban', 'text', digits(18).map((of) => `GB29WEST${of.slice(4)}`), /^GB\d\d[A-Z]{4}\d{14}$/],
  ['e-mail', 'text', fc.emailAddress(), /^[a-z2-7]{1,64}@([a-z2-7]+\.)*tokens\.invalid$/],
  ['uuid as text', 'text', fc.uuid(), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  ['date as text', 'text', day, /^\d{4}-\d\d-\d\d$/],
])('the token of a value of type %s', (_, kind, values, format) => {
  test('has its format and is turned back by the key', () => {
    fc.assert(
      fc.property(values, (value) => {
        const token = tokens.tokenise(value, kind)
        expect(token).toMatch(format)
        expect(tokens.detokenise(token ?? '', kind)).toBe(value)
      }),
    )
  })
})

test.each<[ValueKind, string, bigint, bigint]>([
  ['integer', '32767', 0n, 32_767n],
  ['integer', '-32768', -32_768n, -1n],
  ['integer', '2147483647', 32_768n, 2_147_483_647n],
  ['integer', '-2147483648', -2_147_483_648n, -32_769n],
  ['integer', '9223372036854775807', 2_147_483_648n, 9_223_372_036_854_775_807n],
])('%s %s stays in the range of the smallest type that holds it', (kind, value, least, most) => {
  const token = BigInt(tokens.tokenise(value, kind) ?? '')
  expect(token).toBeGreaterThanOrEqual(least)
  expect(token).toBeLessThanOrEqual(most)
})

test('a timestamp with time zone has one token, in whatever zone it is shown', () => {
  const utc = tokens.tokenise('2020-05-01 12:00:00+00', 'timestamp') ?? ''
  const kolkata = tokens.tokenise('2020-05-01 17:30:00+05:30', 'timestamp') ?? ''
  expect(Date.parse(kolkata)).toBe(Date.parse(utc))
})

test('a card number and an IBAN that are valid have tokens that are not, and are no tokens', () => {
  for (const valid of ['4111111111111111', '5500 0055 5555 5559', 'GB82 WEST 1234 5698 7654 32']) {
    const token = tokens.tokenise(valid, 'text') ?? ''
    expect(isValid(token), token).toBe(false)
    expect(isValid(valid)).toBe(true)
  }
})

test('what only looks like a token of this class is none', () => {
  const foreign = new Tokens(keysOf('elsewhere')('token pii.ssn'))
  for (const value of ['Ana Lima', 'ana@example.com']) {
    expect(tokens.detokenise(foreign.tokenise(value, 'text') ?? '', 'text')).toBeUndefined()
    expect(tokens.detokenise(value, 'text')).toBeUndefined()
  }
})

test.each<[ValueKind, string]>([
  ['numeric', 'NaN'],
  ['date', 'infinity'],
  ['timestamp', '0044-03-15 12:00:00 BC'],
  ['boolean', 't'],
  ['other', 'paid'],
  ['integer', 'not a number'],
  ['uuid', 'not a uuid'],
  ['inet', 'not an address'],
  ['bytea', 'not hex'],
])('a %s that has no room for a pseudonym (%s) becomes NULL', (kind, value) => {
  expect(tokens.tokenise(value, kind)).toBeNull()
})

/** Luhn for digits, mod 97 for IBANs; written out once more, since the tokens are made with the other one. */
function isValid(text: string): boolean {
  const plain = text.replaceAll(' ', '')
  if (/^[A-Z]/.test(plain)) {
    const turned = plain.slice(4) + plain.slice(0, 4)
    return BigInt(turned.replaceAll(/[A-Z]/g, (letter) => String(parseInt(letter, 36)))) % 97n === 1n
  }
  const doubled = plain
    .split('')
    .toReversed()
    .map((digit, i) => Number(digit) * (i % 2 === 0 ? 1 : 2))
  return doubled.reduce((sum, n) => sum + (n > 9 ? n - 9 : n), 0) % 10 === 0
}
