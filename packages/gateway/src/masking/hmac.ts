import { createHash, hash } from 'node:crypto'

/** SHA-256's block. */
const BLOCK = 64

/**
 * HMAC-SHA-256 (RFC 2104) under one key, out of one-shot hashes: a masked column asks for one for each value, and making the
 * objects of `createHmac` would cost more than the hashing.
 */
export class Hmac {
  readonly #inner: Buffer
  readonly #outer: Buffer

  constructor(key: Uint8Array) {
    const padded = Buffer.alloc(BLOCK)
    padded.set(key.length > BLOCK ? createHash('sha256').update(key).digest() : key)
    this.#inner = Buffer.from(padded.map((byte) => byte ^ 0x36))
    this.#outer = Buffer.from(padded.map((byte) => byte ^ 0x5c))
  }

  digest(message: string | Uint8Array): Buffer {
    const bytes = typeof message === 'string' ? Buffer.from(message) : message
    const inner = hash('sha256', Buffer.concat([this.#inner, bytes]), 'buffer')
    return hash('sha256', Buffer.concat([this.#outer, inner]), 'buffer')
  }
}
