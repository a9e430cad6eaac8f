/** Check digits of numbers that people and things have. Each takes digits only, unless it says otherwise. */

/** ISO/IEC 7812-1, Annex B: cards, and many national numbers. */
export function passesLuhn(digits: string): boolean {
  let sum = 0
  for (let i = 0; i < digits.length; i += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48
    sum += i % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2
  }
  return sum % 10 === 0
}

/** The sum of the digits, each times its weight. */
export function weightedSum(digits: string, weights: readonly number[]): number {
  return weights.reduce((sum, weight, i) => sum + weight * (digits.charCodeAt(i) - 48), 0)
}

// The dihedral group D5, and the permutations of its places (Verhoeff, 1969).
const D5 = ['0123456789', '1234067895', '2340178956', '3401289567', '4012395678', '5987604321', '6598710432']
  .concat(['7659821043', '8765932104', '9876543210'])
  .map((row) => row.split('').map(Number))
const PLACES = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
]
  .concat(['7046913258'])
  .map((row) => row.split('').map(Number))

export function passesVerhoeff(digits: string): boolean {
  let c = 0
  for (let i = 0; i < digits.length; i += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48
    c = D5[c]?.[PLACES[i % 8]?.[digit] ?? 0] ?? 0
  }
  return c === 0
}

/** ISO 7064, MOD 11,10. */
export function passesMod11And10(digits: string): boolean {
  let product = 10
  for (const digit of digits.slice(0, -1)) {
    const sum = (Number(digit) + product) % 10
    product = ((sum === 0 ? 10 : sum) * 2) % 11
  }
  return (11 - product) % 10 === Number(digits.slice(-1))
}
