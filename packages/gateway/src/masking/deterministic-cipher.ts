import { createCipheriv, createDecipheriv, timingSafeEqual } from 'node:crypto'
import { Hmac } from './hmac.ts'

/** 96 bits: a forged token passes with 2^-96, and two of 2^40 values share an IV with 2^-17. */
const IV_BYTES = 12

/**
 * Deterministic authenticated encryption (the SIV construction of Rogaway and Shrimpton, 2006): the IV is the HMAC of the
 * plain bytes. Equal values give equal results, and what was not made with the key is recognised.
 */
export class DeterministicCipher {
  readonly #mac: Hmac
  readonly #encryptionKey: Buffer

  /** @param key of 32 bytes */
  constructor(key: Buffer) {
    const keys = new Hmac(key)
    this.#mac = new Hmac(keys.digest('siv mac'))
    this.#encryptionKey = keys.digest('siv encryption')
  }

  /** @returns 12 bytes more than it was given */
  seal(plain: Buffer): Buffer {
    const iv = this.#iv(plain)
    return Buffer.concat([
      iv,
      createCipheriv('aes-256-ctr', this.#encryptionKey, counterOf(iv)).update(plain),
    ])
  }

  /** @returns undefined when it was not sealed with this key */
  open(sealed: Buffer): Buffer | undefined {
    if (sealed.length < IV_BYTES) return undefined
    const iv = sealed.subarray(0, IV_BYTES)
    const decipher = createDecipheriv('aes-256-ctr', this.#encryptionKey, counterOf(iv))
    const plain = decipher.update(sealed.subarray(IV_BYTES))
    return timingSafeEqual(this.#iv(plain), iv) ? plain : undefined
  }

  #iv(plain: Buffer): Buffer {
    return this.#mac.digest(plain).subarray(0, IV_BYTES)
  }
}

function counterOf(iv: Buffer): Buffer {
  return Buffer.concat([iv, Buffer.alloc(16 - IV_BYTES)])
}
