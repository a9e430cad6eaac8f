import { createCipheriv } from 'node:crypto'
import { FF1_MINIMUM_DOMAIN, Ff1 } from './ff1.ts'
import { Hmac } from './hmac.ts'

/**
 * Permutations of [0, size) under one key, one for each size and purpose: what makes tokens of a type's own values. Large
 * domains by FF1; domains that FF1 is too weak for by a shuffled table, which is a random permutation and leaks only that
 * equal values are equal.
 */
export class KeyedPermutation {
  readonly #keys: Hmac
  readonly #permutations = new Map<string, Permutation>()

  /** @param key of 32 bytes */
  constructor(key: Buffer) {
    this.#keys = new Hmac(key)
  }

  /**
   * @param value 0 ≤ value < size
   * @param purpose which permutation: values of different formats must not be comparable
   */
  encipher(value: bigint, size: bigint, purpose: string): bigint {
    return this.#permutation(size, purpose).forward(value)
  }

  /** Undoes `encipher`. */
  decipher(value: bigint, size: bigint, purpose: string): bigint {
    return this.#permutation(size, purpose).backward(value)
  }

  /** They are few: the formats that need one have few sizes, and the tables are a few megabytes together. */
  #permutation(size: bigint, purpose: string): Permutation {
    const name = `${purpose} ${size}`
    let permutation = this.#permutations.get(name)
    if (permutation === undefined) {
      const key = this.#keys.digest(name)
      permutation = size < FF1_MINIMUM_DOMAIN ? shuffle(Number(size), key) : encryption(size, key)
      this.#permutations.set(name, permutation)
    }
    return permutation
  }
}

interface Permutation {
  forward(value: bigint): bigint
  backward(value: bigint): bigint
}

/**
 * FF1 over the next power of two, with cycle walking (Black and Rogaway, 2002): less than two steps on average, since the
 * power is less than twice the size.
 */
function encryption(size: bigint, key: Buffer): Permutation {
  const ff1 = new Ff1(key, 2, (size - 1n).toString(2).length, Buffer.alloc(0))
  const walk = (value: bigint, step: (value: bigint) => bigint): bigint => {
    let at = step(value)
    while (at >= size) at = step(at)
    return at
  }
  return {
    forward: (value) => walk(value, (at) => ff1.encrypt(at)),
    backward: (value) => walk(value, (at) => ff1.decrypt(at)),
  }
}

/** Fisher–Yates with AES-CTR as the source of random numbers. */
function shuffle(size: number, key: Buffer): Permutation {
  const random = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size * 6))
  const forward = Uint32Array.from({ length: size }, (_, i) => i)
  for (let i = size - 1; i > 0; i -= 1) {
    // 48 bits modulo less than 2^20: the bias is below 2^-28.
    const j = random.readUIntBE(i * 6, 6) % (i + 1)
    const kept = forward[i] ?? 0
    forward[i] = forward[j] ?? 0
    forward[j] = kept
  }
  const backward = new Uint32Array(size)
  for (const [from, to] of forward.entries()) backward[to] = from
  return {
    forward: (value) => BigInt(forward[Number(value)] ?? 0),
    backward: (value) => BigInt(backward[Number(value)] ?? 0),
  }
}
