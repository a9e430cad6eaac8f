import type { ValueKind } from '../access/masking.ts'
import { readDate, readTime, readTimestamp, writeDate, writeTime, writeTimestamp } from './calendar.ts'
import { DeterministicCipher } from './deterministic-cipher.ts'
import { Hmac } from './hmac.ts'
import { KeyedPermutation } from './keyed-permutation.ts'
import {
  tokenDate,
  tokenInet,
  tokenInteger,
  tokenNumeric,
  tokenTime,
  tokenTimestamp,
} from './token-number.ts'
import { tokenUuid } from './token-number.ts'
import type { Direction } from './token-number.ts'
import { TextTokens } from './token-text.ts'

/**
 * Consistent pseudonyms of one data class: equal values have equal tokens, different values different ones, and a token is a
 * value of the same kind and format. The key turns them back. What they do show: the format, and for numbers and digits how
 * long they are.
 */
export class Tokens {
  readonly #hmac: Hmac
  readonly #permutation: KeyedPermutation
  readonly #cipher: DeterministicCipher
  readonly #texts: TextTokens

  /** @param key of 32 bytes, of this class alone */
  constructor(key: Buffer) {
    this.#hmac = new Hmac(key)
    this.#permutation = new KeyedPermutation(key)
    this.#cipher = new DeterministicCipher(key)
    this.#texts = new TextTokens(this.#permutation, this.#cipher)
  }

  /** @returns null where the kind has no room for a pseudonym: booleans, other kinds, infinities, years out of 1 to 9999 */
  tokenise(value: string, kind: ValueKind): string | null {
    if (kind === 'text') return this.#texts.tokenise(value)
    if (kind === 'float') return this.#float(value)
    if (kind === 'bytea') return bytes(value, (content) => this.#cipher.seal(content)) ?? null
    return this.#permuted(value, kind, 'encipher') ?? null
  }

  /**
   * The value that a token stands for; undefined when the text cannot be a token of this class. Texts (`tok_…`), e-mails and
   * bytea carry a proof; a card number and an IBAN that are valid are no tokens. In all other formats every value is the token
   * of some other, so that the original is not accepted in its place. Floats cannot be turned back.
   */
  detokenise(token: string, kind: ValueKind): string | undefined {
    if (kind === 'text') return this.#texts.detokenise(token)
    if (kind === 'bytea') return bytes(token, (content) => this.#cipher.open(content))
    return this.#permuted(token, kind, 'decipher')
  }

  #permuted(value: string, kind: ValueKind, direction: Direction): string | undefined {
    switch (kind) {
      case 'integer':
        return tokenInteger(value, this.#permutation, direction)
      case 'numeric':
        return tokenNumeric(value, this.#permutation, direction)
      case 'uuid':
        return UUID.test(value) ? tokenUuid(value, this.#permutation, direction) : undefined
      case 'inet':
        return tokenInet(value, this.#permutation, direction)
      case 'date': {
        const days = readDate(value)
        return days === undefined ? undefined : writeDate(tokenDate(days, this.#permutation, direction))
      }
      case 'timestamp': {
        const read = readTimestamp(value)
        if (read === undefined) return undefined
        return writeTimestamp({ ...read, micros: tokenTimestamp(read.micros, this.#permutation, direction) })
      }
      case 'time': {
        const read = readTime(value)
        if (read === undefined) return undefined
        return writeTime({ ...read, micros: tokenTime(read.micros, this.#permutation, direction) })
      }
      case 'text':
      case 'bytea':
      case 'float':
      case 'boolean':
      case 'json':
      case 'other':
        return undefined
    }
  }

  /** Sign and power of ten stay; six digits, which `real` holds exactly. */
  #float(value: string): string | null {
    const number = Number(value)
    if (!Number.isFinite(number) || value === '') return null
    const exponent = number === 0 ? 0 : Math.floor(Math.log10(Math.abs(number)))
    const digest = this.#hmac.digest(`float ${number}`)
    const digits = String(100_000 + (digest.readUInt32BE(0) % 900_000))
    return `${number < 0 ? '-' : ''}${digits.charAt(0)}.${digits.slice(1)}e${exponent}`
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** `bytea` in the hex format, which PostgreSQL writes and reads. */
function bytes(value: string, change: (content: Buffer) => Buffer | undefined): string | undefined {
  if (!/^\\x(?:[0-9a-f]{2})*$/i.test(value)) return undefined
  const changed = change(Buffer.from(value.slice(2), 'hex'))
  return changed === undefined ? undefined : `\\x${changed.toString('hex')}`
}
