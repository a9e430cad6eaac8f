import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CIRCUMSTANTIAL_DETECTORS, detect, patternDetectors } from './detectors.ts'
import { mayHoldSensitive } from './may-hold.ts'
import type { Entity } from './span.ts'

const detectors = patternDetectors()

/** Every text with what is sensitive in it between « and »; none of these belongs to anybody. */
const FOUND: readonly [Entity, string][] = [
  ['email', 'write to «ana.lima+shop@mail.example.co.uk».'],
  ['email', "'«o'hara@example.com»'"],
  ['email', 'mailto:«ana@xn--bcher-kva.example»'],
  ['phone', 'Phone: «(415) 555-2671»'],
  ['phone', 'reach me under «+44 20 7946 0958»'],
  ['phone', 'Mobile:\n«0490 39 07 81»'],
  ['phone', '«+1-415-555-2671 x1234»'],
  ['phone', "They're not answering at «516 466 638»"],
  ['card', 'paid with «4111 1111 1111 1111»'],
  ['card', '«378282246310005»'],
  ['card', 'item 12 «4111 1111 1111 1111» 3 pieces'],
  ['card', '«122000000000003»'],
  ['iban', '«BR97 0036 0305 0000 1000 9795 493P 1»'],
  ['us-ssn', '«078.05.1123»'],
  ['us-ssn', '«078 05 1123»'],
  ['ip-address', '«10.0.0.0/8», not 10.1'],
  ['ip-address', '«fe80::1%eth0/64»'],
  ['ip-address', '«2001:db8::/32».'],
  ['ip-address', '[«::ffff:192.168.1.1»]:80'],
  ['card', 'the limit for card «584528792610»?'],
  ['iban', '«GB82 WEST 1234 5698 7654 32»'],
  ['iban', '«de89370400440532013000»'],
  ['iban', 'My IBAN is «GB85QZXO20740530696990»'],
  ['us-ssn', '«536-22-1148»'],
  ['us-ssn', 'SSN «536221148»'],
  ['us-ssn', 'social security number: «536 22 1148»'],
  ['national-id', 'BSN «111222333»'],
  ['national-id', '«1 84 12 76 451 089 46»'],
  ['national-id', 'DNI «12345678Z», NIE'],
  ['national-id', '«X1234567L»'],
  ['national-id', 'PESEL: «44051401359»'],
  ['national-id', 'CPF «529.982.247-25»'],
  ['national-id', 'Aadhaar «2363 5511 3246»'],
  ['national-id', 'NHS number «943 476 5919»'],
  ['national-id', '«AB 12 34 56 C»'],
  ['national-id', '«RSSMRA85T10A562S»'],
  ['national-id', 'Steuer-ID «86095742719»'],
  ['national-id', '«811228-9874»'],
  ['national-id', '«131052-308T»'],
  ['national-id', 'rijksregisternummer «85.07.30-033.28»'],
  ['national-id', '«756.9217.0769.85»'],
  ['national-id', 'SIN «130 692 544»'],
  ['national-id', 'TFN «123 456 782»'],
  ['driver-license', "driver's license number is «F162823540116»"],
  ['ip-address', 'from «192.168.17.34»:8080'],
  ['ip-address', '«2001:db8::ff00:42:8329»'],
  ['ip-address', 'listens on «::1»'],
  ['ip-address', '«fe80::1»'],
  ['ip-address', '«::ffff:10.0.0.1»'],
  ['jwt', 'Bearer «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl»'],
  ['api-key', '«AKIAIOSFODNN7EXAMPLE»'],
  ['api-key', `«ghp_${'a1B2'.repeat(9)}»`],
  ['api-key', 'token «xoxb-1234567890-abcdef»'],
  ['api-key', `«sk_live_${'a1B2c3D4'.repeat(3)}»`],
  ['api-key', `«AIza${'Sy0'.repeat(11)}Xy»`],
  ['api-key', 'postgres://app:«s3cr3t-pw»@db.internal/shop'],
  ['api-key', 'DB_PASSWORD=«Tr0ub4dor&3»'],
  ['api-key', `"client_secret": "«q8Zr-4Lx_0pWvT7y»"`],
  ['private-key', '«-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----»'],
  ['birthdate', 'DOB: «06/05/1987»'],
  ['birthdate', 'born on «June 5, 1987» in Lima'],
  ['birthdate', 'geboren am «05.06.1987»'],
]

describe.each(FOUND)('%s in %j', (entity, marked) => {
  const text = marked.replaceAll(/[«»]/g, '')
  const start = marked.indexOf('«')
  const end = marked.indexOf('»') - 1

  test('is found', () => {
    const spans = detect(text, detectors).map((span) => [span.entity, text.slice(span.start, span.end)])
    expect(spans).toEqual([[entity, text.slice(start, end)]])
  })

  test('is not ruled out beforehand', () => {
    expect(mayHoldSensitive(text)).toBe(true)
    expect(mayHoldSensitive(Buffer.from(text).toString('latin1'))).toBe(true)
  })
})

test.each([
  'order 4111111111111112 of 2021-03-04',
  'version 1.2.3',
  'MAC aa:bb:cc:dd:ee:ff, ratio 1:2:3:4',
  'text192.168.1.1 and fe80::1text',
  '2001:db8::256.1.1.1x',
  'at 12:30:15 on 2020-01-01',
  'std::vector and a::b',
  'GB82WEST12345698765433',
  '6f1d2c3b-4a59-4876-9543-21fedcba9876',
  'the key is under the mat, the password is required',
  'password = process.env.DB_PASSWORD',
  'password: changeme',
  'price 1,234,567.89 for 17151 2450 pieces',
  'user@host and @mention',
  'sk-nothing AKIA1234',
  'the meeting is on June 5, 1987',
])('nothing is found in %j', (text) => {
  expect(detect(text, detectors)).toEqual([])
})

test('what detectors find, the question asked beforehand never rules out', () => {
  const words = fc.constantFrom(
    ...FOUND.flatMap(([, text]) => text.replaceAll(/[«»]/g, '').split(' ')),
    ...'GB82 WEST ABCD 12 34 56 née DOB A B 1.2.3.4 eyJ SIN 9 - + ( ) / key = : password'.split(' '),
  )
  fc.assert(
    fc.property(fc.array(words, { maxLength: 8 }), fc.constantFrom(' ', '', '-'), (parts, separator) => {
      const text = parts.join(separator)
      if (detect(text, detectors).length > 0) expect(mayHoldSensitive(text)).toBe(true)
    }),
    { numRuns: 3000 },
  )
})

test('spans are in order, inside of the text and do not overlap, whatever the text', () => {
  const all = [...detectors, ...CIRCUMSTANTIAL_DETECTORS]
  const pieces = fc.constantFrom(...FOUND.map(([, text]) => text.replaceAll(/[«»]/g, '')))
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ unit: 'grapheme' }))), (parts) => {
      const text = parts.join('')
      let end = 0
      for (const span of detect(text, all)) {
        expect(span.start).toBeGreaterThanOrEqual(end)
        expect(span.end).toBeGreaterThan(span.start)
        expect(span.end).toBeLessThanOrEqual(text.length)
        end = span.end
      }
    }),
  )
})

test('several cards in a row are several', () => {
  const text = '4012888888881881 4012-8888-8888-1881 4012 8888 8888 1881'
  expect(detect(text, detectors).map(({ entity, start, end }) => [entity, start, end])).toEqual([
    ['card', 0, 16],
    ['card', 17, 36],
    ['card', 37, 56],
  ])
})

test('takes time in proportion to the text, whatever it is made of', () => {
  const pieces = [
    'GB82 A1B2 ',
    'A1',
    '1 ',
    '12-',
    'a@',
    'a@b.',
    'eyJaaaaaaaa.',
    'xoxb-',
    'secret=',
    '://a:',
    '1.',
    '1:',
    '::',
  ]
  const all = [...detectors, ...CIRCUMSTANTIAL_DETECTORS]
  const began = performance.now()
  for (const piece of [
    ...pieces,
    '(1',
    '+1',
    'born ',
    '-----BEGIN PRIVATE KEY-----',
    'AKIA',
    'www.a',
    'Jan 1 ',
  ]) {
    detect(piece.repeat(Math.ceil(65_536 / piece.length)), all)
  }
  // Some seconds; quadratic would be hours.
  expect(performance.now() - began).toBeLessThan(25_000)
})
