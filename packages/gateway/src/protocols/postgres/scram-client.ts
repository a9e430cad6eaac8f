import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../../access/secret.ts'
import { SallyportError } from '../../access/errors.ts'

/**
 * Our verifiers have one, PostgreSQL's own default is 4,096. The hashing stops the whole gateway: at this bound for 2 ms,
 * while a hostile server could ask for years of it.
 */
const MAX_ITERATIONS = 4096

/**
 * The client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL uses it ("SASL Authentication"): no channel
 * binding, and an empty user name because the server takes it from the start-up packet.
 */
export class ScramClient {
  readonly #password: Secret
  readonly #nonce: string
  #serverSignature: Buffer | undefined
  #verified = false

  constructor(password: Secret, nonce: string = randomBytes(18).toString('base64')) {
    this.#password = password
    this.#nonce = nonce
  }

  /** Whether the server has proved that it knows the credential's verifier. */
  get verified(): boolean {
    return this.#verified
  }

  /** client-first-message */
  first(): string {
    return `n,,${this.#firstBare()}`
  }

  /** client-final-message, from the server-first-message. @throws SallyportError WIRE_MALFORMED */
  final(serverFirst: string): string {
    // Each answer costs hashing: a hostile server could keep asking.
    if (this.#serverSignature !== undefined) {
      throw new SallyportError('WIRE_MALFORMED', 'the target asked for a second SCRAM proof')
    }
    const attributes = new Map(serverFirst.split(',').map((part) => [part[0], part.slice(2)]))
    const nonce = attributes.get('r')
    const salt = attributes.get('s')
    const iterations = Number(attributes.get('i'))
    if (nonce === undefined || salt === undefined || !Number.isInteger(iterations)) {
      throw new SallyportError('WIRE_MALFORMED', 'the target sent an unreadable SCRAM message')
    }
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new SallyportError('WIRE_MALFORMED', 'the target answered another SCRAM exchange than ours')
    }
    if (iterations < 1 || iterations > MAX_ITERATIONS) {
      throw new SallyportError('WIRE_MALFORMED', `the target asks for ${iterations} SCRAM iterations`)
    }
    const salted = pbkdf2Sync(this.#password.reveal(), Buffer.from(salt, 'base64'), iterations, 32, 'sha256')
    const clientKey = hmac(salted, 'Client Key')
    const withoutProof = `c=biws,r=${nonce}`
    const authMessage = `${this.#firstBare()},${serverFirst},${withoutProof}`
    const signature = hmac(createHash('sha256').update(clientKey).digest(), authMessage)
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (signature[i] ?? 0)))
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), authMessage)
    return `${withoutProof},p=${proof.toString('base64')}`
  }

  /** Checks the server-final-message: only who knows the verifier can have made it. @throws SallyportError WIRE_MALFORMED */
  verify(serverFinal: string): void {
    const sent = Buffer.from(/^v=([^,]+)/.exec(serverFinal)?.[1] ?? '', 'base64')
    const expected = this.#serverSignature
    if (expected === undefined || sent.length !== expected.length || !timingSafeEqual(sent, expected)) {
      throw new SallyportError('WIRE_MALFORMED', 'the target did not prove that it knows the credential', {
        hint: 'something between the gateway and the target may be pretending to be it',
      })
    }
    this.#verified = true
  }

  #firstBare(): string {
    return `n=,r=${this.#nonce}`
  }
}

function hmac(key: Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}
