import { countrySpecs, isValidIBAN } from 'ibantools'
import { follows } from './span.ts'
import type { Detector } from './span.ts'

// A letter or digit at a time, so that there is one way only to match: groups of any length would have thousands.
const CANDIDATE = /(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,34}(?![A-Z0-9])/gi
/** Asked first: no letter and digits, no IBAN. */
const HOLDS_IBAN = /[A-Z]{2}\d{2}[ -]?[A-Z0-9]{2}/i
const WORDS = /\b(?:iban|account|konto|compte|cuenta|conto|rekening)\b/i

/** International bank account numbers (ISO 13616) of registered countries; with a word for it, also with wrong check digits. */
export const ibanDetector: Detector = {
  entities: ['iban'],
  reach: 'tokens',
  find: (text) => {
    if (!HOLDS_IBAN.test(text)) return []
    return [...text.matchAll(CANDIDATE)].flatMap(({ 0: found, index }) => {
      const length = lengths.get(found.slice(0, 2).toUpperCase())
      const end = length === undefined ? undefined : endOfCharacters(found, length)
      if (end === undefined) return []
      const iban = found.slice(0, end).replaceAll(/[ -]/g, '').toUpperCase()
      if (!isValidIBAN(iban) && !follows(text, index, WORDS)) return []
      return [{ entity: 'iban', start: index, end: index + end, score: 1 }]
    })
  },
}

const lengths: ReadonlyMap<string, number> = new Map(
  Object.entries(countrySpecs).flatMap(([country, { chars }]) =>
    chars === null || chars === undefined ? [] : [[country, chars]],
  ),
)

/** Where the first `count` letters and digits end; undefined when there are fewer, or when that is inside of a group. */
function endOfCharacters(text: string, count: number): number | undefined {
  let seen = 0
  for (let at = 0; at < text.length; at += 1) {
    if (/[A-Z0-9]/i.test(text.charAt(at))) seen += 1
    if (seen === count) return /[A-Z0-9]/i.test(text.charAt(at + 1)) ? undefined : at + 1
  }
  return undefined
}
