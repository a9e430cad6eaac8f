import { passesLuhn, passesMod11And10, passesVerhoeff, weightedSum } from './check-digits.ts'
import { follows } from './span.ts'
import type { Detector } from './span.ts'

interface NationalId {
  readonly rule: string
  /** Without `g`; a character that would go on with the number may not stand around it. */
  readonly format: RegExp
  /** On letters and digits only, upper-cased. */
  readonly check: (id: string) => boolean
  /** Needed where the format is that of any number and the check passes one in ten by chance. */
  readonly words?: RegExp
}

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE'

/**
 * National identifiers that carry a check, by their authorities' published rules. Numbers without one (driving licences,
 * passports) cannot be told from others.
 */
const NATIONAL_IDS: readonly NationalId[] = [
  {
    // Netherlands, burgerservicenummer: the "eleven test", the last digit counting minus one.
    rule: 'nl-bsn',
    format: /\d{9}|\d{4}[. ]\d{2}[. ]\d{3}/,
    check: (id) => weightedSum(id, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0 && Number(id) > 0,
    words: /\b(?:bsn|burgerservicenummer|sofi)/i,
  },
  {
    // France, numéro d'inscription au répertoire: 97 minus the rest; Corsica's 2A and 2B count as 19 and 18.
    rule: 'fr-nir',
    format: /[12][ ]?\d{2}[ ]?(?:0[1-9]|1[0-2]|[2-9]\d)[ ]?(?:\d{2}|2[AB])[ ]?\d{3}[ ]?\d{3}[ ]?\d{2}/i,
    check: (id) => {
      const body = id.slice(0, 13).replace('2A', '19').replace('2B', '18')
      return /^\d+$/.test(body) && 97n - (BigInt(body) % 97n) === BigInt(id.slice(13))
    },
  },
  {
    // Spain, DNI and NIE: the letter is the number modulo 23; X, Y, Z stand for 0, 1, 2.
    rule: 'es-dni',
    format: /(?:[XYZ][- ]?\d{7}|\d{8})[- ]?[A-Z]/i,
    check: (id) => {
      const number = id.slice(0, -1).replace(/^[XYZ]/, (first) => String('XYZ'.indexOf(first)))
      return DNI_LETTERS.charAt(Number(number) % 23) === id.slice(-1)
    },
  },
  {
    // Poland, PESEL: a birth date, a serial number, and a weighted sum modulo 10.
    rule: 'pl-pesel',
    format: /\d{2}(?:[02468][1-9]|[13579][0-2])(?:0[1-9]|[12]\d|3[01])\d{5}/,
    check: (id) => weightedSum(id, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0,
    words: /\bpesel\b/i,
  },
  {
    // Brazil, CPF: two digits, each eleven minus a weighted sum modulo 11.
    rule: 'br-cpf',
    format: /\d{3}\.\d{3}\.\d{3}-\d{2}|\d{11}/,
    check: (id) => passesCpf(id),
    words: /\bcpf\b/i,
  },
  {
    // India, Aadhaar: Verhoeff; the first digit is 2 to 9.
    rule: 'in-aadhaar',
    format: /[2-9]\d{3}([ -]?)\d{4}\1\d{4}/,
    check: passesVerhoeff,
    words: /\b(?:aadhaar|aadhar|uidai|uid)\b/i,
  },
  {
    // United Kingdom, NHS number: eleven minus a weighted sum modulo 11.
    rule: 'uk-nhs',
    format: /\d{3}([ -]?)\d{3}\1\d{4}/,
    check: (id) => weightedSum(id, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0,
    words: /\bnhs\b/i,
  },
  {
    // United Kingdom, National Insurance number: no check digit, but few letters may begin and end it.
    rule: 'uk-nino',
    format: /(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]/i,
    check: () => true,
  },
  {
    // Italy, codice fiscale: the last letter by a table of odd and even places.
    rule: 'it-codice-fiscale',
    format: /[A-Z]{6}\d{2}[A-EHLMPR-T](?:[04][1-9]|[1256]\d|[37][01])[A-Z]\d{3}[A-Z]/i,
    check: (id) => passesCodiceFiscale(id),
  },
  {
    // Germany, steuerliche Identifikationsnummer: ISO 7064 MOD 11,10.
    rule: 'de-steuer-id',
    format: /[1-9]\d ?\d{3} ?\d{3} ?\d{3}/,
    check: passesMod11And10,
    words: /\b(?:steuer|idnr|tin\b|tax)/i,
  },
  {
    // Sweden, personnummer: Luhn over the ten digits.
    rule: 'se-personnummer',
    format: /(?:19|20)?\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+]\d{4}/,
    check: (id) => passesLuhn(id.slice(-10)),
  },
  {
    // Finland, henkilötunnus: the nine digits modulo 31.
    rule: 'fi-hetu',
    format: /(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]/i,
    check: (id) => {
      const digits = id.slice(0, 6) + id.slice(-4, -1)
      return '0123456789ABCDEFHJKLMNPRSTUVWXY'.charAt(Number(digits) % 31) === id.slice(-1)
    },
  },
  {
    // Belgium, rijksregisternummer: 97 minus the rest; births since 2000 with a 2 in front.
    rule: 'be-rijksregister',
    format: /\d{2}[.]?\d{2}[.]?\d{2}[- ]?\d{3}[. ]?\d{2}/,
    check: (id) =>
      [id.slice(0, 9), `2${id.slice(0, 9)}`].some((body) => 97 - (Number(body) % 97) === Number(id.slice(9))),
    words: /\b(?:rijksregister|registre national|national number|nrn|rrn|insz|niss)/i,
  },
  {
    // Switzerland, AHV number: EAN-13 that begins with 756.
    rule: 'ch-ahv',
    format: /756\.\d{4}\.\d{4}\.\d{2}|756\d{10}/,
    check: (id) => weightedSum(id, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0,
  },
  {
    // Canada, social insurance number: Luhn.
    rule: 'ca-sin',
    format: /[1-79]\d{2}([ -]?)\d{3}\1\d{3}/,
    check: passesLuhn,
    words: /\b(?:sin|social insurance)\b/i,
  },
  {
    // Australia, tax file number: a weighted sum modulo 11.
    rule: 'au-tfn',
    format: /\d{3}([ -]?)\d{3}\1\d{3}/,
    check: (id) => weightedSum(id, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0,
    words: /\b(?:tfn|tax file)\b/i,
  },
]

const RULES = NATIONAL_IDS.map((id) => ({
  ...id,
  search: new RegExp(`(?<![\\w-]|\\d[ .])(?:${id.format.source})(?![\\w-]|[ .]\\d)`, `g${id.format.flags}`),
}))

/** Asked first: all of them have six digits with little in between. */
const HOLDS_ID = /\d(?:[^\d\n]{0,2}\d){5}/

export const nationalIdDetector: Detector = {
  entities: ['national-id'],
  reach: 'tokens',
  find: (text) =>
    HOLDS_ID.test(text)
      ? RULES.flatMap(({ rule, search, check, words }) =>
          [...text.matchAll(search)].flatMap(({ 0: found, index }) => {
            const isNamed = words === undefined || follows(text, index, words)
            if (!isNamed || !check(found.replaceAll(/[^A-Za-z0-9]/g, '').toUpperCase())) return []
            const score = words === undefined ? 0.9 : 0.95
            return [{ entity: 'national-id', rule, start: index, end: index + found.length, score }]
          }),
        )
      : [],
}

function passesCpf(digits: string): boolean {
  if (/^(\d)\1*$/.test(digits)) return false
  return [9, 10].every((length) => {
    const weights = Array.from({ length }, (_, i) => length + 1 - i)
    const rest = (weightedSum(digits, weights) * 10) % 11
    return rest % 10 === Number(digits.charAt(length))
  })
}

// Decreto ministeriale 23 dicembre 1976: what the characters 0–9 and A–Z count in odd places.
const ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]

function passesCodiceFiscale(id: string): boolean {
  let sum = 0
  for (let i = 0; i < 15; i += 1) {
    const code = id.charCodeAt(i)
    const place = code < 58 ? code - 48 : code - 65
    sum += i % 2 === 0 ? (ODD[place] ?? 0) : place
  }
  return String.fromCharCode(65 + (sum % 26)) === id.charAt(15)
}
