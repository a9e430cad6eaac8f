import { passesLuhn } from './check-digits.ts'
import { follows, holdsNumber } from './span.ts'
import type { Detector, Span } from './span.ts'

/** Groups of digits in a row: some of them may be a card, and others stand beside it. */
const GROUPS = /(?<![\w.-])\d(?:[ -]?\d){11,}(?![\w]|[.-]\d)/g
const LONGEST = 19
const SHORTEST = 12

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
  // UATP: AirPlus.
  /^1[29]20\d{11}$/,
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
    return [...text.matchAll(GROUPS)].flatMap(({ 0: found, index }) => cardsIn(text, found, index))
  },
}

/** From left to right, the longest run of whole groups that is a card; a group that is in none is passed over. */
function cardsIn(text: string, run: string, offset: number): Span[] {
  const groups = [...run.matchAll(/\d+/g)].map(({ 0: digits, index }) => ({ digits, start: offset + index }))
  const spans: Span[] = []
  for (let first = 0; first < groups.length; ) {
    const span = cardAt(text, groups, first)
    if (span !== undefined) spans.push(span)
    first =
      span === undefined ? first + 1 : groups.findIndex(({ start }, i) => i > first && start >= span.end)
    if (first < 0) break
  }
  return spans
}

function cardAt(
  text: string,
  groups: readonly { readonly digits: string; readonly start: number }[],
  first: number,
): Span | undefined {
  const start = groups[first]?.start ?? 0
  let digits = ''
  let best: Span | undefined
  for (let last = first; last < groups.length; last += 1) {
    const group = groups[last]
    digits += group?.digits ?? ''
    if (group === undefined || digits.length > LONGEST) break
    if (digits.length < SHORTEST) continue
    const score = scoreOf(text, digits, start)
    if (score > 0 && score >= (best?.score ?? 0)) {
      best = { entity: 'card', start, end: group.start + group.digits.length, score }
    }
  }
  return best
}

function scoreOf(text: string, digits: string, start: number): number {
  const isIssued = ISSUERS.some((range) => range.test(digits))
  const isChecked = passesLuhn(digits)
  if (isIssued && isChecked) return 1
  if (!(isIssued || isChecked) || !follows(text, start, WORDS)) return 0
  return isChecked ? 0.95 : 0.6
}
