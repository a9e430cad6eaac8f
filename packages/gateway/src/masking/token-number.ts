import { DAYS, MICROS, MICROS_OF_DAY } from './calendar.ts'
import { readInet, writeInet } from './inet.ts'
import type { KeyedPermutation } from './keyed-permutation.ts'

export type Direction = 'encipher' | 'decipher'

/** Values are permuted within the smallest of these that they are in: no token is wider than a type that holds the value. */
const INTEGER_RINGS = [0n, 2n ** 15n, 2n ** 31n, 2n ** 63n]
/** More digits than 40 are not permuted, so that there are few permutations. */
const MOST_DIGITS = 40

/** The days of the years 1900 to 2099 stay among themselves: tokens of birth dates look like birth dates. */
const FIRST_DAY = 693_595n
const LAST_DAY = 766_644n
const DAY_MICROS = MICROS_OF_DAY

/** smallint, integer and bigint; the sign stays. Undefined for what is none of them. */
export function tokenInteger(
  text: string,
  permutation: KeyedPermutation,
  direction: Direction,
): string | undefined {
  if (!/^-?\d{1,19}$/.test(text)) return undefined
  const number = BigInt(text)
  const magnitude = number < 0n ? -1n - number : number
  const ring = INTEGER_RINGS.findIndex((end, i) => i > 0 && magnitude < end)
  if (ring < 0) return undefined
  const start = INTEGER_RINGS[ring - 1] ?? 0n
  const size = (INTEGER_RINGS[ring] ?? 0n) - start
  const token = start + permutation[direction](magnitude - start, size, number < 0n ? 'negative' : 'integer')
  return (number < 0n ? -1n - token : token).toString()
}

/** Keeps the sign, the number of digits and the scale. Undefined for NaN, Infinity and more digits than 40. */
export function tokenNumeric(
  text: string,
  permutation: KeyedPermutation,
  direction: Direction,
): string | undefined {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  const length = whole.length + fraction.length
  if (whole === '' || length > MOST_DIGITS || (whole.length > 1 && whole.startsWith('0'))) return undefined
  const start = whole.length === 1 ? 0n : 10n ** BigInt(length - 1)
  const size = 10n ** BigInt(length) - start
  const token = start + permutation[direction](BigInt(whole + fraction) - start, size, 'numeric')
  const digits = token.toString().padStart(length, '0')
  return `${sign}${digits.slice(0, whole.length)}${fraction === '' ? '' : `.${digits.slice(whole.length)}`}`
}

/** @param days since 0001-01-01, as `readDate` gives them */
export function tokenDate(days: number, permutation: KeyedPermutation, direction: Direction): number {
  return Number(within(BigInt(days), FIRST_DAY, LAST_DAY, DAYS, 'date', permutation, direction))
}

/** @param micros since the beginning of the year 1 */
export function tokenTimestamp(micros: bigint, permutation: KeyedPermutation, direction: Direction): bigint {
  const first = FIRST_DAY * DAY_MICROS
  return within(micros, first, LAST_DAY * DAY_MICROS, MICROS, 'timestamp', permutation, direction)
}

export function tokenTime(micros: bigint, permutation: KeyedPermutation, direction: Direction): bigint {
  return permutation[direction](micros, MICROS_OF_DAY, 'time')
}

/** Version and variant stay (RFC 9562 §4), the other 122 bits are enciphered: what reads the token finds a valid UUID. */
export function tokenUuid(text: string, permutation: KeyedPermutation, direction: Direction): string {
  const hex = text.replaceAll('-', '')
  const variant = Number.parseInt(hex.charAt(16), 16)
  const body = BigInt(`0x${hex.slice(0, 12)}${hex.slice(13, 16)}${hex.slice(17)}`)
  const token = permutation[direction]((body << 2n) | BigInt(variant & 3), 2n ** 122n, 'uuid')
  const digits = (token >> 2n).toString(16).padStart(30, '0')
  const seventeenth = ((variant & 12) | Number(token & 3n)).toString(16)
  const full = `${digits.slice(0, 12)}${hex.charAt(12)}${digits.slice(12, 15)}${seventeenth}${digits.slice(15)}`
  return full.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Network and host are permuted apart where a prefix says where one ends: a network stays a network. */
export function tokenInet(
  text: string,
  permutation: KeyedPermutation,
  direction: Direction,
): string | undefined {
  const inet = readInet(text)
  if (inet === undefined) return undefined
  const hostBits = BigInt(inet.width - (inet.prefix ?? inet.width))
  const network = inet.address >> hostBits
  const host = inet.address - (network << hostBits)
  const purpose = `inet ${inet.width}`
  const netToken = permutation[direction](
    network,
    1n << (BigInt(inet.width) - hostBits),
    `${purpose} network`,
  )
  const hostToken =
    host === 0n ? 0n : 1n + permutation[direction](host - 1n, (1n << hostBits) - 1n, `${purpose} host`)
  return writeInet({ ...inet, address: (netToken << hostBits) | hostToken })
}

/** [first, last) and the rest of [0, size) are permuted each for itself. */
function within(
  value: bigint,
  first: bigint,
  last: bigint,
  size: bigint,
  purpose: string,
  permutation: KeyedPermutation,
  direction: Direction,
): bigint {
  if (value >= first && value < last) {
    return first + permutation[direction](value - first, last - first, purpose)
  }
  const inside = last - first
  const packed = value < first ? value : value - inside
  const token = permutation[direction](packed, size - inside, `far ${purpose}`)
  return token < first ? token : token + inside
}
