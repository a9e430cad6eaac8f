import { createHmac, createPublicKey } from 'node:crypto'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../access/secret.ts'
import { Identity } from './identity.ts'
import { MemoryTicketStore } from './memory-ticket-store.fixture.ts'
import type { TrustedIssuer } from './ports.ts'
import {
  type Answer,
  type Claims,
  json,
  sign,
  type SigningKey,
  signingKey,
  TestIssuer,
} from './test-issuer.fixture.ts'

const NOW = Date.UTC(2026, 0, 1)
const SECONDS = NOW / 1000

let key: SigningKey
let other: SigningKey
let rsa: SigningKey
let idp: TestIssuer
let clock: number
let identity: Identity

beforeAll(async () => {
  key = await signingKey('one')
  other = await signingKey('two')
  rsa = await signingKey('rsa', 'RS256')
})
beforeEach(async () => {
  idp = await TestIssuer.start(key, rsa)
  clock = NOW
  identity = identityWith()
})
afterEach(async () => await idp[Symbol.asyncDispose]())

const trusted = (changes: Partial<TrustedIssuer> = {}): TrustedIssuer => ({
  issuer: idp.url,
  audience: 'sallyport',
  prefix: undefined,
  algorithms: [],
  claims: { id: 'sub', groups: 'groups', kind: undefined, attributes: {} },
  ...changes,
})
const identityWith = (...issuers: readonly TrustedIssuer[]): Identity =>
  new Identity({
    issuers: issuers.length === 0 ? [trusted()] : issuers,
    tickets: new MemoryTicketStore(),
    ticketKey: Buffer.alloc(32, 7),
    now: () => clock,
  })
const claims = (changes: Claims = {}): Claims => ({
  iss: idp.url,
  aud: 'sallyport',
  sub: 'ana',
  groups: ['data-science'],
  iat: SECONDS,
  exp: SECONDS + 300,
  ...changes,
})
const token = async (changes: Claims = {}, header: Record<string, unknown> = {}, by = key): Promise<string> =>
  await sign(by, claims(changes), header)
const bearer = async (value: string): Promise<unknown> => await identity.bearer(new Secret(value))
const proof = (value: string) => ({ kind: 'bearer', token: new Secret(value) }) as const
const code = (expected: string) => expect.objectContaining({ code: expected })
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const document =
  (changes: object): (() => Answer) =>
  () =>
    json({ issuer: idp.url, jwks_uri: `${idp.url}/jwks`, ...changes })
const redirect = (): Answer => (_, response) =>
  response.writeHead(302, { location: `${idp.url}/elsewhere` }).end()
const issue = async (): ReturnType<Identity['tickets']['issue']> => {
  const principal = await identity.bearer(new Secret(await token()))
  const request = { target: 'shop', purpose: 'report', clientSession: 'c1', ttlSeconds: 60 }
  return await identity.tickets.issue(principal, request)
}

describe('a token of a trusted issuer', () => {
  it('becomes a principal, with no deadline of its own', async () => {
    expect(await identity.authenticate(proof(await token({}, { typ: 'at+jwt' })), 'shop')).toEqual({
      principal: {
        kind: 'user',
        id: 'ana',
        issuer: idp.url,
        subject: 'ana',
        groups: ['data-science'],
        attributes: {},
      },
      deadline: undefined,
    })
  })

  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])('may be signed with %s', async (alg) => {
    const signer = await signingKey(alg, alg)
    idp.keys = [signer.publicJwk]
    expect(await bearer(await token({}, {}, signer))).toMatchObject({ id: 'ana' })
  })

  it('is found among several issuers, each with its prefix', async () => {
    await using second = await TestIssuer.start(other)
    identity = identityWith(trusted({ prefix: 'a' }), trusted({ issuer: second.url, prefix: 'b' }))
    expect(await bearer(await token())).toMatchObject({ id: 'a/ana' })
    expect(await bearer(await token({ iss: second.url }, {}, other))).toMatchObject({ id: 'b/ana' })
  })

  it('cannot be signed with the key of another trusted issuer', async () => {
    await using second = await TestIssuer.start(other)
    identity = identityWith(trusted({ prefix: 'a' }), trusted({ issuer: second.url, prefix: 'b' }))
    await expect(bearer(await token({}, {}, other))).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it('may name several audiences', async () => {
    expect(await bearer(await token({ aud: ['x', 'sallyport'] }))).toMatchObject({ id: 'ana' })
  })

  it('is checked once and remembered until it expires', async () => {
    const value = await token()
    await bearer(value)
    idp.jwks = json({}, 500)
    clock = NOW + 359_000
    expect(await bearer(value)).toMatchObject({ id: 'ana' })
    clock = NOW + 360_000
    await expect(bearer(value)).rejects.toThrow(code('AUTH_TOKEN_EXPIRED'))
  })

  it('is not remembered in any other spelling', async () => {
    const value = await token()
    await bearer(value)
    const forged = value.replace(/\.[^.]*\./, `.${encode(claims({ sub: 'dora' }))}.`)
    await expect(bearer(forged)).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it('that delegates becomes the agent acting for the person', async () => {
    expect(await bearer(await token({ act: { sub: 'insight-agent' } }))).toMatchObject({
      kind: 'agent',
      id: 'insight-agent',
      actingFor: { kind: 'user', id: 'ana' },
    })
  })

  it('is accepted at the very edges of the clock skew', async () => {
    const edges = { exp: SECONDS - 59, nbf: SECONDS + 60, iat: SECONDS + 60 }
    expect(await bearer(await token(edges))).toMatchObject({ id: 'ana' })
  })

  it.each<[string, Claims, string]>([
    ['expired more than the skew ago', { exp: SECONDS - 60 }, 'AUTH_TOKEN_EXPIRED'],
    ['expired before there were dates', { exp: -1e300 }, 'AUTH_TOKEN_EXPIRED'],
    ['without an expiry', { exp: undefined }, 'AUTH_TOKEN_INVALID'],
    ['not valid yet', { nbf: SECONDS + 61 }, 'AUTH_TOKEN_INVALID'],
    ['issued in the future', { iat: SECONDS + 61 }, 'AUTH_TOKEN_INVALID'],
    ['for another audience', { aud: 'payroll' }, 'AUTH_TOKEN_INVALID'],
    ['without an audience', { aud: undefined }, 'AUTH_TOKEN_INVALID'],
    ['of an unknown issuer', { iss: 'https://evil.example' }, 'AUTH_TOKEN_INVALID'],
    ['without an issuer', { iss: undefined }, 'AUTH_TOKEN_INVALID'],
    ['without a subject', { sub: undefined }, 'AUTH_TOKEN_INVALID'],
    ['bound to a key', { cnf: { jkt: 'x' } }, 'AUTH_TOKEN_INVALID'],
    ['that delegates twice', { act: { sub: 'a', act: { sub: 'b' } } }, 'AUTH_TOKEN_INVALID'],
  ])('is refused when it is %s', async (_, changes, expected) => {
    await expect(bearer(await token(changes))).rejects.toThrow(code(expected))
  })

  it.each(['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'JOSE'])(
    'is refused when its type is %s',
    async (typ) => {
      await expect(bearer(await token({}, { typ }))).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
    },
  )

  it('is refused when an actor was put in after it was signed', async () => {
    const [header, , signature] = (await token()).split('.')
    const forged = `${header}.${encode(claims({ act: { sub: 'deploy-agent' } }))}.${signature}`
    await expect(bearer(forged)).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it.each(['', 'x'])('is refused with alg none and the signature "%s"', async (signature) => {
    const forged = `${encode({ alg: 'none' })}.${encode(claims())}.${signature}`
    await expect(bearer(forged)).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it.each(['pem', 'jwk'])('is refused when the public key (%s) was used as an HMAC secret', async (form) => {
    const publicKey = createPublicKey({ key: { ...rsa.publicJwk }, format: 'jwk' })
    const secret =
      form === 'pem' ? publicKey.export({ type: 'spki', format: 'pem' }) : JSON.stringify(rsa.publicJwk)
    const input = `${encode({ alg: 'HS256', kid: 'rsa' })}.${encode(claims())}`
    const forged = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    await expect(bearer(forged)).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
    expect(idp.jwksRequests).toBe(0)
  })

  it('is refused when it brings its own key', async () => {
    const forged = await sign(other, claims(), { jwk: other.publicJwk, kid: 'one' })
    await expect(bearer(forged)).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it('is refused when its algorithm is not one that the issuer may use', async () => {
    identity = identityWith(trusted({ algorithms: ['ES256'] }))
    await expect(bearer(await token({}, {}, rsa))).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it.each([
    ['nothing', ''],
    ['a password', 'hunter2'],
    ['two parts', 'a.b'],
    ['five parts (an encrypted token)', 'a.b.c.d.e'],
    ['three parts of nonsense', 'a.b.c'],
    ['a payload that is not an object', `${encode({ alg: 'ES256' })}.${encode('x')}.AAAA`],
    ['more than 8 KiB', `${'a'.repeat(8192)}.b.c`],
  ])('is not %s', async (_, value) => {
    await expect(bearer(value)).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
    expect(idp.jwksRequests).toBe(0)
  })
})

describe("an issuer's keys", () => {
  it('are fetched again when a token names one that is not known', async () => {
    await bearer(await token())
    idp.keys = [other.publicJwk]
    clock += 30_000
    expect(await bearer(await token({}, {}, other))).toMatchObject({ id: 'ana' })
    await expect(bearer(await token({ sub: 'omar' }))).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it('are not fetched for each of a flood of unknown key ids', async () => {
    await bearer(await token())
    clock += 30_000
    for (let i = 0; i < 20; i++) {
      await expect(bearer(await token({}, { kid: `k${i}` }))).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
    }
    expect(idp.jwksRequests).toBe(2)
    expect(await bearer(await token({ sub: 'omar' }))).toMatchObject({ id: 'omar' })
  })

  it('are fetched once for many tokens at the same time', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, i) => token({ sub: `p${i}` })))
    await Promise.all(tokens.map(bearer))
    expect(idp.jwksRequests).toBe(1)
  })

  it('are fetched again when they are ten minutes old, so that a withdrawn one stops working', async () => {
    await bearer(await token())
    idp.keys = [other.publicJwk]
    clock += 10 * 60_000
    await expect(bearer(await token({ exp: SECONDS + 3600 }))).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it('go on working while the provider is down, but not for ever', async () => {
    await bearer(await token())
    idp.jwks = json({ error: 'down' }, 503)
    clock += 11 * 60 * 60_000
    const late = await token({ exp: SECONDS + 86_400 })
    expect(await bearer(late)).toMatchObject({ id: 'ana' })
    clock += 60 * 60_000
    await expect(bearer(late)).rejects.toThrow(code('AUTH_ISSUER_UNAVAILABLE'))
  })

  it('that are unknown while the provider is down do not make the token wrong', async () => {
    await bearer(await token())
    idp.discovery = json({}, 503)
    clock += 30_000
    await expect(bearer(await token({}, {}, other))).rejects.toThrow(code('AUTH_ISSUER_UNAVAILABLE'))
    await expect(bearer(await token({}, {}, other))).rejects.toThrow(code('AUTH_ISSUER_UNAVAILABLE'))
  })

  it('are tried again soon when there are none yet', async () => {
    idp.jwks = json({}, 503)
    const value = await token()
    await expect(bearer(value)).rejects.toThrow(code('AUTH_ISSUER_UNAVAILABLE'))
    await expect(bearer(value)).rejects.toThrow(code('AUTH_ISSUER_UNAVAILABLE'))
    expect(idp.jwksRequests).toBe(1)
    idp.jwks = undefined
    clock += 2_000
    expect(await bearer(value)).toMatchObject({ id: 'ana' })
  })

  it('are found without a key id when there is only one that fits', async () => {
    expect(await bearer(await token({}, { kid: undefined }))).toMatchObject({ id: 'ana' })
    idp.keys = [key.publicJwk, other.publicJwk]
    identity = identityWith()
    await expect(bearer(await token({}, { kid: undefined }))).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it.each([
    ['belongs to another issuer', document({ issuer: 'https://evil.example' })],
    [
      'differs from the issuer by a slash',
      () => json({ issuer: `${idp.url}/`, jwks_uri: `${idp.url}/jwks` }),
    ],
    ['has no key set', document({ jwks_uri: undefined })],
    ['has its key set on plain http elsewhere', document({ jwks_uri: 'http://keys.example/jwks' })],
    ['has its key set in a file', document({ jwks_uri: 'file:///etc/passwd' })],
    ['is a redirect', redirect],
    ['is a list', () => json([])],
    ['is larger than the bound', () => json({ issuer: idp.url, filler: 'x'.repeat(300 * 1024) })],
  ])('are not taken when the discovery document %s', async (_, answer) => {
    idp.discovery = answer()
    await expect(bearer(await token())).rejects.toThrow(code('AUTH_ISSUER_UNAVAILABLE'))
    expect(idp.jwksRequests).toBe(0)
  })

  it.each([
    ['too large', () => json({ keys: idp.keys, filler: 'x'.repeat(300 * 1024) })],
    ['a redirect', redirect],
    ['without keys', () => json({})],
    ['of too many keys', () => json({ keys: Array.from({ length: 65 }, () => key.publicJwk) })],
    ['of a published shared secret', () => json({ keys: [{ kty: 'oct', k: 'AAAA', kid: 'one' }] })],
  ])('are not taken from a key set that is %s', async (_, answer) => {
    idp.jwks = answer()
    await expect(bearer(await token())).rejects.toThrow(code('AUTH_ISSUER_UNAVAILABLE'))
  })

  it('are asked for with a time limit', async () => {
    const signals: (AbortSignal | null | undefined)[] = []
    identity = new Identity({
      issuers: [trusted()],
      tickets: new MemoryTicketStore(),
      ticketKey: Buffer.alloc(32),
      now: () => clock,
      fetch: async (url, init) => {
        signals.push(init?.signal)
        return await fetch(url, init)
      },
    })
    await bearer(await token())
    expect(signals.map((signal) => signal instanceof AbortSignal)).toEqual([true, true])
  })
})

describe('the trusted issuers', () => {
  it.each<[string, (issuer: TrustedIssuer) => readonly TrustedIssuer[]]>([
    ['are on plain http elsewhere', (i) => [{ ...i, issuer: 'http://idp.example.com' }]],
    ['look like loopback', (i) => [{ ...i, issuer: 'http://127.0.0.1.example.com' }]],
    ['have a query', (i) => [{ ...i, issuer: 'https://idp.example.com?x=1' }]],
    ['carry a password', (i) => [{ ...i, issuer: 'https://u:p@idp.example.com' }]],
    ['are no URL', (i) => [{ ...i, issuer: 'idp' }]],
    ['allow none', (i) => [{ ...i, algorithms: ['ES256', 'none'] }]],
    ['allow HS256', (i) => [{ ...i, algorithms: ['HS256'] }]],
    ['have an empty audience', (i) => [{ ...i, audience: '' }]],
    [
      'are there twice',
      (i) => [
        { ...i, prefix: 'a' },
        { ...i, prefix: 'b' },
      ],
    ],
    ['are several without prefixes', (i) => [i, { ...i, issuer: 'https://b.example' }]],
    [
      'share a prefix',
      (i) => [
        { ...i, prefix: 'a' },
        { ...i, issuer: 'https://b.example', prefix: 'a' },
      ],
    ],
    ['have a slash in a prefix', (i) => [{ ...i, prefix: 'a/b' }]],
  ])('are refused when they %s', (_, change) => {
    expect(() => identityWith(...change(trusted()))).toThrow(code('CONFIG_INVALID'))
  })
})

describe('a ticket', () => {
  it('proves at its target what its principal proved when asking for it', async () => {
    const { id, ticket, expiresAt } = await issue()
    expect(await identity.authenticate({ kind: 'bearer', token: ticket }, 'shop')).toMatchObject({
      principal: { id: 'ana', groups: ['data-science'] },
      deadline: expiresAt,
      ticketId: id,
      purpose: 'report',
      clientSession: 'c1',
    })
  })

  it('is no bearer token for HTTP', async () => {
    const { ticket } = await issue()
    await expect(identity.bearer(ticket)).rejects.toThrow(code('AUTH_TOKEN_INVALID'))
  })

  it('that is far too long is refused before it is hashed', async () => {
    const long = proof(`spt_${'a'.repeat(100_000)}`)
    await expect(identity.authenticate(long, 'shop')).rejects.toThrow(code('AUTH_TICKET_INVALID'))
  })
})
