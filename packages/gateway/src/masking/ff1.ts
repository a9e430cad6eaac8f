import { createCipheriv } from 'node:crypto'
import type { Cipheriv } from 'node:crypto'

const BLOCK = 16
const ROUNDS = 10

/** SP 800-38G Rev. 1, §5: below this many values, format-preserving encryption can be broken by trying. */
export const FF1_MINIMUM_DOMAIN = 1_000_000n

/**
 * FF1 of NIST SP 800-38G (Algorithms 7 and 8) for one key, one tweak, and numeral strings of `length` digits in base
 * `radix`. A numeral string is given and returned as the number that it writes: the algorithm only ever looks at the numbers
 * of its two halves.
 */
export class Ff1 {
  readonly #aes: Cipheriv
  /** radix^u and radix^v: the halves have u and v digits; the lower one, of v digits, is never the shorter. */
  readonly #highModulus: bigint
  readonly #lowModulus: bigint
  /** P, enciphered: every round begins with it. */
  readonly #prefix: Buffer
  /** Q; a round writes its number and a half into the end. */
  readonly #input: Buffer
  /** b: the bytes of the largest number of v digits. */
  readonly #halfBytes: number
  /** d. */
  readonly #roundBytes: number

  /**
   * @param key of 16, 24 or 32 bytes
   * @throws RangeError when the domain has less than a million values
   */
  constructor(key: Uint8Array, radix: number, length: number, tweak: Uint8Array) {
    // ECB of single blocks is the block cipher itself, which FF1 is built from; it has no state between calls.
    this.#aes = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false)
    const u = Math.floor(length / 2)
    this.#highModulus = BigInt(radix) ** BigInt(u)
    this.#lowModulus = BigInt(radix) ** BigInt(length - u)
    if (length < 2 || this.#highModulus * this.#lowModulus < FF1_MINIMUM_DOMAIN) {
      throw new RangeError(`FF1 needs at least ${FF1_MINIMUM_DOMAIN} values`)
    }
    this.#halfBytes = Math.ceil((this.#lowModulus - 1n).toString(2).length / 8)
    this.#roundBytes = 4 * Math.ceil(this.#halfBytes / 4) + 4
    const padding = (((-tweak.length - this.#halfBytes - 1) % BLOCK) + BLOCK) % BLOCK
    const p = Buffer.alloc(BLOCK)
    p.set([1, 2, 1])
    p.writeUIntBE(radix, 3, 3)
    p.set([ROUNDS, u % 256], 6)
    p.writeUInt32BE(length, 8)
    p.writeUInt32BE(tweak.length, 12)
    this.#prefix = this.#aes.update(p)
    this.#input = Buffer.concat([tweak, Buffer.alloc(padding + 1 + this.#halfBytes)])
  }

  /** @throws RangeError when the value has more digits */
  encrypt(value: bigint): bigint {
    this.#check(value)
    let a = value / this.#lowModulus
    let b = value % this.#lowModulus
    for (let round = 0; round < ROUNDS; round += 1) {
      const c = (a + this.#roundValue(round, b)) % this.#modulus(round)
      a = b
      b = c
    }
    return a * this.#lowModulus + b
  }

  /** Undoes `encrypt`. */
  decrypt(value: bigint): bigint {
    this.#check(value)
    let a = value / this.#lowModulus
    let b = value % this.#lowModulus
    for (let round = ROUNDS - 1; round >= 0; round -= 1) {
      const modulus = this.#modulus(round)
      const c = (((b - this.#roundValue(round, a)) % modulus) + modulus) % modulus
      b = a
      a = c
    }
    return a * this.#lowModulus + b
  }

  #check(value: bigint): void {
    if (value < 0n || value >= this.#highModulus * this.#lowModulus)
      throw new RangeError('outside of the domain')
  }

  /** Of the half that a round changes. */
  #modulus(round: number): bigint {
    return round % 2 === 0 ? this.#highModulus : this.#lowModulus
  }

  /** Steps 6.i to 6.iv: the pseudorandom number y that a round adds. */
  #roundValue(round: number, half: bigint): bigint {
    const at = this.#input.length - this.#halfBytes
    this.#input[at - 1] = round
    this.#input.write(half.toString(16).padStart(this.#halfBytes * 2, '0'), at, 'hex')
    let block = Buffer.from(this.#prefix)
    for (let from = 0; from < this.#input.length; from += BLOCK) {
      for (let i = 0; i < BLOCK; i += 1) block[i] = (block[i] ?? 0) ^ (this.#input[from + i] ?? 0)
      block = this.#aes.update(block)
    }
    if (this.#roundBytes <= BLOCK) return toNumber(block.subarray(0, this.#roundBytes))
    const blocks = [block]
    for (let j = 1; j * BLOCK < this.#roundBytes; j += 1) {
      const counted = Buffer.from(block)
      counted.writeUInt32BE((counted.readUInt32BE(BLOCK - 4) ^ j) >>> 0, BLOCK - 4)
      blocks.push(this.#aes.update(counted))
    }
    return toNumber(Buffer.concat(blocks).subarray(0, this.#roundBytes))
  }
}

function toNumber(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`)
}
