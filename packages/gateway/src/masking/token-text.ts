import { base32, fromBase32 } from './base32.ts'
import { readDate, writeDate } from './calendar.ts'
import type { DeterministicCipher } from './deterministic-cipher.ts'
import type { KeyedPermutation } from './keyed-permutation.ts'
import { tokenDate, tokenUuid } from './token-number.ts'
import type { Direction } from './token-number.ts'

const EMAIL = /^[^\s@]{1,64}@[^\s@]{1,188}\.[^\s@.]{1,63}$/
/** RFC 2606 §2: `.invalid` is nobody's, so that no token can be written to. */
const TOKEN_DOMAIN = 'tokens.invalid'
const OPAQUE = 'tok_'
/** DNS labels end at 63 characters (RFC 1035 §2.3.4), local parts at 64 (RFC 5321 §4.5.3.1.1). */
const LABEL = 60

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const DATE_SHAPE = /^\d{4}-\d{2}-\d{2}$/
const IBAN_SHAPE = /^([A-Z]{2})(\d{2})((?: ?[A-Z0-9]){11,30})$/
/** Phones, cards, national ids: no more digits than 40, so that there are few permutations. */
const DIGITS_SHAPE = /^\+?(?:[ ()./-]*\d)+[ ()./-]*$/
const MOST_DIGITS = 40

/** ITU-T E.164, assigned country codes of one and two digits; all others have three. */
const SHORT_COUNTRY_CODE = /^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/

/**
 * Tokens for texts. A text's format decides how it is enciphered, and its token has the same format, which is how the way
 * back is found: an e-mail's token is an e-mail at `tokens.invalid`, a UUID's is a UUID, a date's is a date, an IBAN keeps
 * its country, a number with a "+" its country code, digits keep their separators. Everything else becomes `tok_…`.
 */
export class TextTokens {
  readonly #permutation: KeyedPermutation
  readonly #cipher: DeterministicCipher

  constructor(permutation: KeyedPermutation, cipher: DeterministicCipher) {
    this.#permutation = permutation
    this.#cipher = cipher
  }

  tokenise(text: string): string {
    if (EMAIL.test(text)) return emailToken(base32(this.#cipher.seal(Buffer.from(text))))
    return this.#sameFormat(text, 'encipher') ?? OPAQUE + base32(this.#cipher.seal(Buffer.from(text)))
  }

  /** @returns undefined when the text is no token of this class */
  detokenise(token: string): string | undefined {
    if (token.startsWith(OPAQUE)) return this.#open(token.slice(OPAQUE.length))
    if (EMAIL.test(token)) return this.#open(emailTokenContent(token))
    return this.#sameFormat(token, 'decipher')
  }

  #open(encoded: string | undefined): string | undefined {
    const sealed = encoded === undefined ? undefined : fromBase32(encoded)
    return sealed === undefined ? undefined : this.#cipher.open(sealed)?.toString()
  }

  #sameFormat(text: string, direction: Direction): string | undefined {
    if (text.length > 2 * MOST_DIGITS) return undefined
    if (UUID.test(text)) return tokenUuid(text, this.#permutation, direction)
    if (DATE_SHAPE.test(text)) {
      const days = readDate(text)
      return days === undefined ? undefined : writeDate(tokenDate(days, this.#permutation, direction))
    }
    const [, country = '', check = '', account = ''] = IBAN_SHAPE.exec(text) ?? []
    if (country !== '') return this.#iban(country, check, account, direction)
    return DIGITS_SHAPE.test(text) ? this.#digits(text, direction) : undefined
  }

  #digits(text: string, direction: Direction): string | undefined {
    const all = text.replaceAll(/\D/g, '')
    if (all.length > MOST_DIGITS) return undefined
    const kept = text.startsWith('+') ? countryCode(all) : ''
    const digits = all.slice(kept.length)
    if (digits === '') return undefined
    const hasCheckDigit = kept === '' && digits.length >= 12 && digits.length <= 19
    const token = hasCheckDigit ? this.#checked(digits, direction) : this.#permute(digits, direction)
    return refill(text, kept + token)
  }

  /**
   * As long as a card number: the last digit is taken for a Luhn check digit. A valid number's token has one that is wrong, so
   * that no token is anybody's card, and a token can be told from a card.
   */
  #checked(digits: string, direction: Direction): string {
    const body = digits.slice(0, -1)
    const token = this.#permute(body, direction)
    const off = Number(digits.slice(-1)) - luhnDigit(body) + (direction === 'encipher' ? 1 : -1)
    return token + ((luhnDigit(token) + off + 20) % 10)
  }

  /** The check digits are off by one from right ones, for the same reason. */
  #iban(country: string, check: string, account: string, direction: Direction): string {
    const plain = account.replaceAll(' ', '')
    const characters = plain.split('')
    const shape = characters.map((character) => (/\d/.test(character) ? 10n : 26n))
    const valueOf = (character: string): bigint =>
      /\d/.test(character) ? BigInt(character) : BigInt(character.charCodeAt(0) - 65)
    let value = 0n
    for (const [i, character] of characters.entries()) value = value * (shape[i] ?? 1n) + valueOf(character)
    const size = shape.reduce((product, radix) => product * radix, 1n)
    let rest = this.#permutation[direction](value, size, 'iban')
    let token = ''
    for (const radix of shape.toReversed()) {
      const digit = Number(rest % radix)
      token = (radix === 10n ? String(digit) : String.fromCharCode(65 + digit)) + token
      rest /= radix
    }
    const off = Number(check) - ibanCheck(country, plain) + (direction === 'encipher' ? 1 : -1)
    const digits = String((ibanCheck(country, token) + off + 200) % 100).padStart(2, '0')
    return refill(`${country}${check}${account}`, `${country}${digits}${token}`)
  }

  #permute(digits: string, direction: Direction): string {
    const value = this.#permutation[direction](BigInt(digits), 10n ** BigInt(digits.length), 'digits')
    return value.toString().padStart(digits.length, '0')
  }
}

function emailToken(encoded: string): string {
  const labels = encoded.match(new RegExp(`.{1,${LABEL}}`, 'g')) ?? []
  return `${labels[0] ?? ''}@${[...labels.slice(1), TOKEN_DOMAIN].join('.')}`
}

function emailTokenContent(token: string): string | undefined {
  const lower = token.toLowerCase()
  if (!lower.endsWith(`@${TOKEN_DOMAIN}`) && !lower.endsWith(`.${TOKEN_DOMAIN}`)) return undefined
  return lower.slice(0, -TOKEN_DOMAIN.length).replaceAll(/[@.]/g, '')
}

function countryCode(digits: string): string {
  return SHORT_COUNTRY_CODE.exec(digits)?.[0] ?? digits.slice(0, 3)
}

/** Puts letters and digits into the places of those of `format`. */
function refill(format: string, characters: string): string {
  let next = 0
  return format.replaceAll(/[A-Z0-9]/g, () => characters.charAt(next++))
}

/** ISO/IEC 7812-1, Annex B. */
function luhnDigit(body: string): number {
  let sum = 0
  for (let i = 0; i < body.length; i += 1) {
    const digit = Number(body.charAt(body.length - 1 - i))
    sum += i % 2 === 0 ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit
  }
  return (10 - (sum % 10)) % 10
}

/** ISO 13616-1: the check digits that make the number 1 modulo 97. */
function ibanCheck(country: string, account: string): number {
  const numbers = `${account}${country}00`.replaceAll(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55))
  return 98 - Number(BigInt(numbers) % 97n)
}
