import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DetectionStream, replaceDetected } from './detection-stream.ts'
import { CIRCUMSTANTIAL_DETECTORS, patternDetectors } from './detectors.ts'
import { properNameDetector } from './proper-names.ts'
import type { Span } from './span.ts'
import { userPatternDetector } from './user-pattern.ts'

const label = ({ entity }: Span): string => `[${entity}]`
const SETS = {
  patterns: patternDetectors(),
  'patterns and names': [...patternDetectors(), properNameDetector],
  'patterns, dates and a user pattern': [
    ...patternDetectors(),
    ...CIRCUMSTANTIAL_DETECTORS,
    userPatternDetector({ dataClass: 'project', pattern: 'project [a-z]+ [a-z]+' }),
  ],
}

const key = `-----BEGIN RSA PRIVATE KEY-----\n${'MIIEowIBAAKCAQEA0Z3VS5JJcds3\n'.repeat(20)}-----END RSA PRIVATE KEY-----`
const PIECES = [
  'mail ana.lima@example.com now',
  'call me: +1 (415) 555-2671 x12',
  '415-555-2671, office',
  'card 4111 1111 1111 1111 please',
  'GB82 WEST 1234 5698 7654 32',
  'ssn 123-45-6789',
  'born June 5, 1987 in Lima',
  'geboren 5 June 1987',
  'project blue whale',
  'password = Tr0ub4dor&3xyz',
  'postgres://app:s3cr3t-pw@db.internal/shop',
  'AKIAIOSFODNN7EXAMPLE',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl',
  '2001:db8::ff00:42:8329 and 10.1.2.3',
  'root@web1:~$ ',
  '-----BEGIN ',
  '-----END RSA PRIVATE KEY-----',
  key,
  '\n',
  '\r\n',
  ' ',
  '12',
  '-',
  '+',
  '(',
  'May ',
  'Handy, Büro & so weiter',
  'Mr. Ana van der Lima said',
  '12 Elm Street, Apt. 4\nPorto\nPortugal 4000',
  'She lives in Porto',
]
const texts = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'grapheme', maxLength: 12 })), {
    maxLength: 30,
  })
  .map((parts) => parts.join(' '))

/** The text as it comes off a wire: cut at the given places. */
function streamed(text: string, cuts: readonly number[], detectors = SETS.patterns): string {
  const stream = new DetectionStream(detectors, label)
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].toSorted((a, b) => a - b)
  let output = ''
  let from = 0
  for (const to of [...places, text.length]) {
    output += stream.push(text.slice(from, to))
    from = to
  }
  return output + stream.end()
}

describe.each(Object.entries(SETS))('with %s', (_, detectors) => {
  test('any split of any text gives the same as the whole', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat(), { maxLength: 20 }), (text, cuts) => {
        expect(streamed(text, cuts, detectors)).toBe(replaceDetected(text, detectors, label))
      }),
      { numRuns: 300 },
    )
  })

  test('so does a text that comes character by character', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const stream = new DetectionStream(detectors, label)
        const output = text.split('').map((character) => stream.push(character))
        expect(output.join('') + stream.end()).toBe(replaceDetected(text, detectors, label))
      }),
      { numRuns: 50 },
    )
  })

  test('so does a text without a place to cut at, longer than what is held back', () => {
    const blob =
      `${'A1b2'.repeat(9000)},ana.lima@example.com,${'x9'.repeat(12_000)},4111111111111111,`.repeat(2)
    fc.assert(
      fc.property(fc.nat(20_000), fc.array(fc.nat(), { maxLength: 5 }), (shift, cuts) => {
        const text = '/'.repeat(shift) + blob
        const whole = replaceDetected(text, detectors, label)
        expect(streamed(text, cuts, detectors)).toBe(whole)
        expect(whole).not.toContain('ana.lima')
        expect(whole).not.toContain('41111')
      }),
      { numRuns: 10 },
    )
  })
})

test.each(PIECES.filter((piece) => /\w{8}/.test(piece)))(
  'cut anywhere, "%s" is found as it is whole',
  (piece) => {
    const text = `${piece}\nand so on\n`
    const whole = replaceDetected(text, SETS.patterns, label)
    for (let cut = 0; cut <= text.length; cut += 1) expect(streamed(text, [cut])).toBe(whole)
  },
)

test('what cannot be the beginning of anything is let go at once: a prompt is seen before it is answered', () => {
  for (const prompt of ['$ ', 'root@web1:~# ', 'login: ', 'Continue? [y/N] ', 'postgres=> ']) {
    expect(new DetectionStream(SETS.patterns, label).push(prompt)).toBe(prompt)
  }
})

test('a line is let go with its end', () => {
  const stream = new DetectionStream(SETS.patterns, label)
  expect(stream.push('your card: 4111 1111')).toBe('your card: ')
  expect(stream.push(' 1111 1111\nnext ')).toBe('[card]\nnext ')
})

test('a private key is not let go before its end', () => {
  const stream = new DetectionStream(SETS.patterns, label)
  const sent = key.split('\n').map((line) => stream.push(`${line}\n`))
  expect(sent.slice(0, -1).join('')).toBe('')
  expect(sent.at(-1)).toBe('[private-key]\n')
})

test('a private key that was cut off is found all the same', () => {
  const cut = key.slice(0, 200)
  expect(replaceDetected(`see ${cut}`, SETS.patterns, label)).toBe('see [private-key]')
})

test('no more than 33 KB are held back, whatever comes', () => {
  for (const filler of ['1 ', 'a', '-----BEGIN PRIVATE KEY-----\n', '4111 ', '@', ':']) {
    const stream = new DetectionStream(SETS.patterns, () => 'x')
    let sent = 0
    let released = 0
    for (let i = 0; i < 300; i += 1) {
      const chunk = filler.repeat(Math.ceil(1000 / filler.length))
      sent += chunk.length
      // Replacing makes text shorter: only what was let go of unmatched text can be counted.
      released += stream.push(chunk).length
    }
    if (filler === 'a' || filler === ':') expect(sent - released).toBeLessThanOrEqual(33_000)
    expect(stream.end().length).toBeLessThanOrEqual(33_000)
  }
})
