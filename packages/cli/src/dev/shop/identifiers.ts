import type { Random } from './random.ts'

/** Made-up identifiers that have the real ones' form and checksum, from ranges in which nobody's are. */

/**
 * A US Social Security number. Area numbers 734–749 were never given out before 2011, when areas lost their meaning, so
 * that no adult of the shop's has one.
 */
export function ssn(random: Random): string {
  return `${random.between(734, 749)}-${padded(random.between(1, 99), 2)}-${padded(random.between(1, 9999), 4)}`
}

function padded(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

/** A phone number with the exchange 555 and a line of 0100–0199, which North America keeps for fiction. */
export function phone(random: Random): string {
  const area = random.pick(['202', '206', '303', '312', '404', '415', '512', '617', '702', '718'])
  return `+1-${area}-555-01${random.digits(2)}`
}

// The numbers that payment providers publish for tests, without their check digit.
const TEST_CARDS: readonly [string, ...string[]] = [
  '424242424242424',
  '400005665566555',
  '555555555555444',
  '520082828282821',
  '411111111111111',
]

/** A card number that payment providers publish for tests, with its Luhn check digit (ISO/IEC 7812-1). */
export function testCard(random: Random): string {
  const body = random.pick(TEST_CARDS)
  return body + luhnDigit(body)
}

/** The Luhn check digit for `body`. */
export function luhnDigit(body: string): number {
  let sum = 0
  for (let i = 0; i < body.length; i++) {
    const digit = Number(body[body.length - 1 - i])
    const doubled = i % 2 === 0 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return (10 - (sum % 10)) % 10
}

/** A German IBAN (ISO 13616) with a valid check and a bank code that begins with 9, where no bank is. */
export function iban(random: Random): string {
  const bban = `9${random.digits(17)}`
  return `DE${String(98 - ibanRemainder(`${bban}131400`)).padStart(2, '0')}${bban}`
}

/** `digits` modulo 97, in pieces that a double holds exactly. */
export function ibanRemainder(digits: string): number {
  let remainder = 0
  for (let at = 0; at < digits.length; at += 9)
    remainder = Number(`${remainder}${digits.slice(at, at + 9)}`) % 97
  return remainder
}
