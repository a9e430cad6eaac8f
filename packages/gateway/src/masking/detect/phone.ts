import { parsePhoneNumberFromString } from 'libphonenumber-js/max'
import type { CountryCode } from 'libphonenumber-js/max'
import { follows, holdsNumber } from './span.ts'
import type { Detector } from './span.ts'

const CANDIDATE =
  /(?<![\w.+]|\d[ -])(?:\+|00)?\(?\d(?:[ \-.()/]{0,3}\d){6,14}(?![\w]|-\d)(?:[ ]{0,2}(?:x|ext\.?)[ ]{0,2}\d{1,6}(?!\w))?|(?<![\w.+]|\d[ -])(?:\+|00)?\(?\d(?:[ \-.()/]{0,3}\d){6,14}(?:x\d{1,6}(?!\w))/gi
/** What says that a number is dialled: the sure words within a phrase, the others only right before it. */
const WORDS =
  /\b(?:phones?|tele?(?:phone)?|calls?|called|calling|mobile|cell|fax|whatsapp|sms|dial|ring|answering|hotline|telefon|handy|mobil|t[ée]l[ée]phone|tel[ée]fono|m[óo]vil|celular|telefoon)\b[^\d\n]{0,24}$|\b(?:desk|office|home|work|contact|reach|text|messages?|registered)\b[^\w\n]{0,3}$|\b(?:phone|mobile|fax|desk|office|home|work):\s{0,3}$|\b(?:number|nr|no)\b(?: is|:)?\s{0,2}$/i
/** Said after a number: "555 0100 - Office". */
const WORDS_AFTER = /^[- ,\\(]{0,3}(?:office|fax|mobile|cell|desk|home|work)\b/i
const DATE_OR_VERSION =
  /^\(?\d{4}[-./]\d{1,2}[-./]\d{1,2}|^\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d{2})$|^\d{1,3}(?:\.\d{1,3}){3}$/

/**
 * Phone numbers, by the numbering plans that libphonenumber knows.
 * @param regions whose national numbers are meant where no country code is written; the first one's also without a word for it
 */
export function phoneDetector(regions: readonly CountryCode[]): Detector {
  return {
    entities: ['phone'],
    reach: 'tokens',
    find: (text) => {
      if (!holdsNumber(text)) return []
      return [...text.matchAll(CANDIDATE)].flatMap(({ 0: found, index }) => {
        const score = scoreOf(text, found, index, regions)
        return score === 0 ? [] : [{ entity: 'phone', start: index, end: index + found.length, score }]
      })
    },
  }
}

function scoreOf(text: string, found: string, start: number, regions: readonly CountryCode[]): number {
  const number = found.replace(/\s*(?:x|ext).*$/i, '')
  const digits = number.replaceAll(/\D/g, '')
  if (digits.length < 7 || digits.length > 15 || DATE_OR_VERSION.test(number)) return 0
  const after = text.slice(start + found.length, start + found.length + 12)
  const isNamed = follows(text, start, WORDS) || WORDS_AFTER.test(after)
  const isGrouped = /\d[ \-.()/]+\d/.test(number)
  const isInternational = /^(?:\+|00)/.test(number)
  if (isNamed) return regions.some((region) => isValid(number, region)) ? 0.9 : 0.65
  if (isInternational) return isValid(number, regions[0]) ? 0.85 : isGrouped ? 0.4 : 0
  // Two groups are a house number and a postal code as well.
  if (!isGrouped || (groupsOf(number).length < 3 && !number.startsWith('('))) return 0
  return regions.some((region) => isValid(number, region)) ? 0.75 : looksDialled(number) ? 0.4 : 0
}

/** Groups like those that people read out, of a number long enough to be a whole one. */
function looksDialled(number: string): boolean {
  const groups = groupsOf(number)
  return groups.length <= 6 && groups.join('').length >= 8 && groups.every(isSayable)
}

function groupsOf(number: string): string[] {
  return number.split(/\D+/).filter((group) => group !== '')
}

function isSayable(group: string): boolean {
  return group.length >= 2 && group.length <= 6
}

function isValid(number: string, region: CountryCode | undefined): boolean {
  const international = number.replace(/^00/, '+')
  return parsePhoneNumberFromString(international, region)?.isValid() === true
}
