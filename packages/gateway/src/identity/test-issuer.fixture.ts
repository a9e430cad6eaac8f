import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { CryptoKey, JWK } from 'jose'

/** A key pair as a provider has it. */
export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
}

export async function signingKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

export async function sign(
  key: SigningKey,
  claims: Claims,
  header: Record<string, unknown> = {},
): Promise<string> {
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
    .sign(key.privateKey)
}

export type Claims = Readonly<Record<string, unknown>>
export type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** An OpenID provider as far as a relying party reads it: discovery and keys, over real HTTP on loopback. */
export class TestIssuer implements AsyncDisposable {
  keys: readonly unknown[] = []
  /** Instead of the key set. */
  jwks: Answer | undefined
  /** Instead of the discovery document. */
  discovery: Answer | undefined
  jwksRequests = 0
  readonly #server = createServer((request, response) => this.#answer(request, response))

  static async start(...keys: readonly SigningKey[]): Promise<TestIssuer> {
    const issuer = new TestIssuer()
    issuer.keys = keys.map((key) => key.publicJwk)
    issuer.#server.listen(0, '127.0.0.1')
    await once(issuer.#server, 'listening')
    return issuer
  }

  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    return `http://127.0.0.1:${address.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === '/.well-known/openid-configuration') {
      if (this.discovery !== undefined) return this.discovery(request, response)
      return json({ issuer: this.url, jwks_uri: `${this.url}/jwks` })(request, response)
    }
    this.jwksRequests++
    // A redirect has somewhere to go: only refusing to follow it keeps these keys out.
    const answer = request.url === '/jwks' ? this.jwks : undefined
    return (answer ?? json({ keys: this.keys }))(request, response)
  }
}

export function json(value: unknown, status = 200): Answer {
  return (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
