import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MaskSpec, ValueKind } from '../access/masking.ts'
import { keysOf } from './mask-keys.fixture.ts'
import { maskFor, maskForDerived } from './mask-for.ts'

const here = keysOf('here')
const maskOf = (mask: MaskSpec, name = 'pii.test', keys = here) => maskFor({ name, mask }, keys)

const METHODS: readonly MaskSpec[] = [
  { method: 'redact' },
  { method: 'null' },
  { method: 'partial', keep: 'last4' },
  { method: 'partial', keep: 'domain' },
  { method: 'partial', keep: 'initials' },
  { method: 'hash' },
  { method: 'token' },
  { method: 'truncate', to: 'year' },
  { method: 'bucket', size: 1000 },
]
const VALID: readonly [ValueKind, string, RegExp][] = [
  ['text', 'ana.lima@example.com', /^/],
  ['integer', '123456789', /^-?\d{1,10}$/],
  ['numeric', '-12345.67', /^-?\d+(\.\d+)?$/],
  ['float', '1.5e+20', /^-?\d+(\.\d+)?(e[+-]?\d+)?$/],
  ['boolean', 't', /^[tf]$/],
  ['date', '1987-06-05', /^\d{4}-\d\d-\d\d$/],
  ['timestamp', '1987-06-05 04:03:02.1+02', /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d$/],
  ['time', '04:03:02', /^\d\d:\d\d:\d\d(\.\d+)?$/],
  ['uuid', '6f1d2c3b-4a59-4876-9543-21fedcba9876', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  ['inet', '192.168.17.34', /^\d+\.\d+\.\d+\.\d+$/],
  ['json', '{"ssn":"123-45-6789"}', /^["{]/],
  ['bytea', '\\x0102030405060708', /^\\x([0-9a-f]{2})*$/],
  ['other', 'paid', /^never$/],
]

describe.each(METHODS)('$method $keep', (spec) => {
  test.each(VALID)('gives a valid %s, or NULL, and never the value', (kind, value, format) => {
    const masked = maskOf(spec).apply(value, kind)
    if (masked !== null) expect(masked).toMatch(format)
    expect(masked).not.toBe(value)
  })
})

describe('partial', () => {
  test.each([
    ['last4', '123-45-6789', '***-**-6789'],
    ['last4', '+1 (415) 555-2671', '+* (***) ***-2671'],
    ['last4', '4111 1111 1111 1111', '**** **** **** 1111'],
    // Half of it would be shown.
    ['last4', '1234567', '*******'],
    ['domain', 'ana.lima@example.com', '****@example.com'],
    ['domain', 'not an address', '*** ** *******'],
    ['domain', 'a@b@example.com', '*@*@*******.***'],
    ['initials', 'Ana Lima-Souza', 'A** L***-S****'],
    ['initials', 'Łukasz Ö', 'Ł***** *'],
  ] as const)('%s of %s is %s', (keep, value, expected) => {
    expect(maskOf({ method: 'partial', keep }).apply(value, 'text')).toBe(expected)
  })

  test('keeps an address to its network', () => {
    const mask = maskOf({ method: 'partial', keep: 'last4' })
    expect(mask.apply('192.168.17.34', 'inet')).toBe('192.168.17.0')
    expect(mask.apply('2001:db8:1:2::3/64', 'inet')).toBe('2001:db8:1::/64')
  })
})

test.each<[MaskSpec, ValueKind, string, string]>([
  [{ method: 'truncate', to: 'year' }, 'date', '1987-06-05', '1987-01-01'],
  [{ method: 'truncate', to: 'month' }, 'date', '1987-06-05', '1987-06-01'],
  [{ method: 'truncate', to: 'month' }, 'text', '1987-06-05', '1987-06-01'],
  [{ method: 'truncate', to: 'month' }, 'text', '5 June 1987', '[redacted]'],
  [{ method: 'truncate', to: 'month' }, 'timestamp', '1987-06-05 04:03:02.1+02', '1987-06-01 00:00:00+02'],
  [{ method: 'bucket', size: 10_000 }, 'integer', '68421', '60000'],
  [{ method: 'bucket', size: 10_000 }, 'integer', '-68421', '-60000'],
  [{ method: 'bucket', size: 10_000 }, 'integer', '-9', '0'],
  [{ method: 'bucket', size: 500 }, 'numeric', '68421.55', '68000.00'],
  [{ method: 'bucket', size: 0.5 }, 'numeric', '1.75', '1.50'],
  [{ method: 'bucket', size: 100 }, 'float', '1234.5', '1200'],
  [{ method: 'bucket', size: 100 }, 'float', 'NaN', '0'],
  [{ method: 'bucket', size: 100 }, 'text', 'a lot', '[redacted]'],
])('%j of %s %s is %s', (spec, kind, value, expected) => {
  expect(maskOf(spec).apply(value, kind)).toBe(expected)
})

describe.each(['hash', 'token'] as const)('%s', (method) => {
  const apply = (value: string, name?: string, keys = here) =>
    maskOf({ method }, name, keys).apply(value, 'text')

  test('is the same for equal values, so that they can be joined and grouped by', () => {
    expect(apply('Ana Lima')).toBe(apply('Ana Lima'))
    expect(apply('Ana Lima')).not.toBe(apply('Ana Limo'))
  })

  test('cannot be compared between classes or installations', () => {
    expect(apply('Ana Lima', 'pii.name')).not.toBe(apply('Ana Lima', 'pii.other'))
    expect(apply('Ana Lima', 'pii.name')).not.toBe(apply('Ana Lima', 'pii.name', keysOf('elsewhere')))
  })
})

test('a token is turned back by its mask, and nothing else is', () => {
  const mask = maskOf({ method: 'token' }, 'pii.name')
  expect(mask.restore?.(mask.apply('Ana Lima', 'text') ?? '', 'text')).toBe('Ana Lima')
  expect(mask.restore?.('Ana Lima', 'text')).toBeUndefined()
  for (const spec of METHODS.filter(({ method }) => method !== 'token')) {
    expect(maskOf(spec)).not.toHaveProperty('restore')
  }
})

test('what is computed from a hidden value becomes a constant, whatever the method', () => {
  for (const mask of METHODS) {
    const derived = maskForDerived({ name: 'pii.test', mask })
    for (const [kind, value] of VALID) {
      const other = kind === 'timestamp' ? '2001-01-01 00:00:00-03' : 'another'
      expect(derived.apply(value, kind)).toBe(derived.apply(other, kind))
    }
  }
})

test('no value makes a mask throw: what it throws would end the session', () => {
  const masks = METHODS.map((spec) => maskOf(spec))
  const kinds = VALID.map(([kind]) => kind)
  const values = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[-+0-9a-fA-F:.,/ TZ\\xeE{}"[\]@]{0,40}$/),
    fc
      .constantFrom(...VALID.map(([, value]) => value))
      .chain((value) =>
        fc
          .tuple(fc.nat(value.length), fc.nat(value.length), fc.string({ maxLength: 3 }))
          .map(([from, to, by]) => value.slice(0, from) + by + value.slice(to)),
      ),
    fc.constantFrom(
      '::ffff:1.2.3.4',
      '::',
      'infinity',
      'NaN',
      '-0',
      '1e400',
      '0001-01-01 00:00:00+15:59',
      '24:00:00',
    ),
  )
  fc.assert(
    fc.property(values, fc.constantFrom(...kinds), (value, kind) => {
      for (const mask of masks) {
        const masked = mask.apply(value, kind)
        if (masked !== null) mask.restore?.(masked, kind)
        mask.restore?.(value, kind)
      }
    }),
    { numRuns: 2000 },
  )
})

test('a mask does to bytes what it does to texts, and leaves what it does not know', () => {
  const masks = METHODS.map((spec) => maskOf(spec))
  const masksOfDerived = METHODS.map((mask) => maskForDerived({ name: 'pii.test', mask }))
  // Most of it is about texts.
  const kinds = [
    ...VALID.map(([kind]) => kind),
    ...Array.from({ length: VALID.length }, () => 'text' as const),
  ]
  const values = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary-ascii' }),
    fc.string({ unit: 'grapheme' }),
    fc.stringMatching(/^[A-Za-z0-9 .,_*-]{0,20}$/),
    fc.constantFrom(...VALID.map(([, value]) => value)),
  )
  const done = { constant: 0, stars: 0, left: 0 }
  fc.assert(
    fc.property(values, fc.constantFrom(...kinds), fc.nat(3), (value, kind, before) => {
      for (const mask of [...masks, ...masksOfDerived]) {
        const onBytes = mask.onBytes?.(kind)
        if (onBytes === undefined) continue
        if (onBytes.form === 'constant') {
          done.constant++
          expect(onBytes.value).toBe(mask.apply(value, kind))
          continue
        }
        const around = `${'a'.repeat(before)}|${value}|z`
        const bytes = Buffer.from(around)
        const start = before + 1
        const end = bytes.length - 2
        const isDone = onBytes.star(bytes, start, end)
        done[isDone ? 'stars' : 'left']++
        const expected = isDone ? `${'a'.repeat(before)}|${mask.apply(value, kind)}|z` : around
        // A lone surrogate is U+FFFD in UTF-8.
        expect(bytes).toEqual(Buffer.from(expected))
      }
    }),
    { numRuns: 3000 },
  )
  expect(Object.values(done).every((times) => times > 100)).toBe(true)
})
