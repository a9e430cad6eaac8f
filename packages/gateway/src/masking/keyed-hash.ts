import type { ValueKind } from '../access/masking.ts'
import { Hmac } from './hmac.ts'
import { Tokens } from './tokens.ts'

/** 128 bits: two different values are not seen to share a digest before 2^64 of them. */
const HEX_DIGITS = 32

/**
 * Digests of one data class: equal values have equal digests, so that they can be joined and grouped by, and without the key
 * nobody can find a value by trying. HMAC-SHA-256, where the type holds 128 bits; in types that do not, a permutation of the
 * type's values under a key of its own, since a digest that short would make different values equal.
 */
export class KeyedHash {
  readonly #hmac: Hmac
  readonly #permuted: Tokens

  /** @param key of 32 bytes, of this class alone */
  constructor(key: Buffer) {
    this.#hmac = new Hmac(key)
    this.#permuted = new Tokens(this.#hmac.digest('permutation'))
  }

  hash(value: string, kind: ValueKind): string | null {
    if (kind === 'text') return this.#digest(value)
    if (kind === 'bytea') return `\\x${this.#digest(value)}`
    if (kind === 'uuid') return uuidOf(this.#digest(value.toLowerCase()))
    return this.#permuted.tokenise(value, kind)
  }

  #digest(value: string): string {
    return this.#hmac.digest(value).toString('hex').slice(0, HEX_DIGITS)
  }
}

/** RFC 9562 §5.8: version 8 is for whatever the writer likes. */
function uuidOf(hex: string): string {
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}
