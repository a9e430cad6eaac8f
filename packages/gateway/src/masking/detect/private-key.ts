import type { Detector, Span } from './span.ts'

const LABEL = '(?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----'
/** RFC 7468 §2: the lines around a private key; OpenSSH and PGP write theirs alike. */
export const PRIVATE_KEY_EDGE = new RegExp(`-----(BEGIN|END) ${LABEL}`, 'g')
const BEGIN = new RegExp(`-----BEGIN ${LABEL}`, 'g')
const END = new RegExp(`-----END ${LABEL}`)

/** An RSA key of 8192 bits in PEM has 6,400 characters. */
export const LONGEST_KEY = 16_384

/**
 * Private keys in PEM. One that has no end is taken to go on: a file that was cut off holds the key all the same. It spans
 * lines, which `SafeCuts` knows.
 */
export const privateKeyDetector: Detector = {
  entities: ['private-key'],
  reach: 'tokens',
  find: (text) => {
    if (!text.includes('PRIVATE KEY')) return []
    const spans: Span[] = []
    for (const { index } of text.matchAll(BEGIN)) {
      if (index < (spans.at(-1)?.end ?? 0)) continue
      const body = text.slice(index, index + LONGEST_KEY)
      const end = END.exec(body)
      spans.push({
        entity: 'private-key',
        start: index,
        end: index + (end === null ? body.length : end.index + end[0].length),
        score: 1,
      })
    }
    return spans
  },
}
