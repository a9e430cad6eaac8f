import { passesLuhn } from './check-digits.ts'
import { follows, holdsNumber } from './span.ts'
import type { Detector } from './span.ts'

const CANDIDATE = /(?<![\w.-]|\d[ -])\d(?:[ -]?\d){11,18}(?![\w]|[.-]\d)/g

/**
 * Issuers' ranges and the lengths of their numbers (ISO/IEC 7812): Visa; Mastercard; American Express; Diners Club; Discover;
 * JCB; UnionPay; Maestro; Mir; Elo; RuPay; Verve.
 */
const ISSUERS: readonly RegExp[] = [
  /^4(?:\d{12}|\d{15}|\d{18})$/,
  /^(?:5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12})$/,
  /^3[47]\d{13}$/,
  /^3(?:0[0-5]|095|[689]\d)\d{11,16}$/,
  /^6(?:011|4[4-9]\d|5\d\d)\d{12,15}$/,
  /^(?:35(?:2[89]|[3-8]\d)\d{12,15}|(?:2131|1800)\d{11})$/,
  /^62\d{14,17}$/,
  /^(?:50|5[6-9]|6[0-9])\d{10,17}$/,
  /^220[0-4]\d{12,15}$/,
]
const WORDS =
  /\b(?:cards?|cc|credit|debit|visa|amex|mastercard|maestro|discover|pan|carte|karte|tarjeta|cart[aã]o)\b/i

/**
 * Payment cards. One number in ten passes Luhn's check, so without a word that says "card" the range must be an issuer's too;
 * with one, either is enough: a mistyped number is still somebody's.
 */
export const cardDetector: Detector = {
  entities: ['card'],
  reach: 'tokens',
  find: (text) => {
    if (!holdsNumber(text)) return []
    return [...text.matchAll(CANDIDATE)].flatMap(({ 0: found, index }) => {
      const digits = found.replaceAll(/[ -]/g, '')
      const isIssued = ISSUERS.some((range) => range.test(digits))
      const isChecked = passesLuhn(digits)
      const isCard = isIssued && isChecked ? true : (isIssued || isChecked) && follows(text, index, WORDS)
      return isCard
        ? [{ entity: 'card', start: index, end: index + found.length, score: isChecked ? 1 : 0.6 }]
        : []
    })
  },
}
