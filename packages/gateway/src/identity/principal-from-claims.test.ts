import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AuthenticationFailed } from '../access/errors.ts'
import type { TrustedIssuer } from './ports.ts'
import { principalFromClaims } from './principal-from-claims.ts'

const ISSUER: TrustedIssuer = {
  issuer: 'https://idp.example.com',
  audience: 'sallyport',
  prefix: 'corp',
  algorithms: [],
  claims: { id: 'sub', groups: 'groups', kind: undefined, attributes: { mail: 'email' } },
}
const withClaims = (claims: Partial<TrustedIssuer['claims']>): TrustedIssuer => ({
  ...ISSUER,
  claims: { ...ISSUER.claims, ...claims },
})

/** The id in one canonical form, so that two spellings of it would show as equal. */
function canonicalId(sub: string): string | undefined {
  try {
    return principalFromClaims({ sub }, ISSUER).id.normalize('NFD')
  } catch {
    return undefined
  }
}

describe('principalFromClaims', () => {
  it('makes a user with prefix, groups and attributes', () => {
    expect(
      principalFromClaims({ sub: 'ana', groups: ['data-science'], email: 'ana@x.test' }, ISSUER),
    ).toEqual({
      kind: 'user',
      id: 'corp/ana',
      issuer: ISSUER.issuer,
      subject: 'ana',
      groups: ['data-science'],
      attributes: { mail: 'ana@x.test' },
    })
  })

  it('uses the bare subject without a prefix', () => {
    expect(principalFromClaims({ sub: 'ana' }, { ...ISSUER, prefix: undefined }).id).toBe('ana')
  })

  it('takes a token whose client is its subject for an agent', () => {
    expect(principalFromClaims({ sub: 'bot', client_id: 'bot' }, ISSUER).kind).toBe('agent')
  })

  it('believes the kind claim where one is configured', () => {
    const issuer = withClaims({ kind: 'k' })
    expect(principalFromClaims({ sub: 'x', client_id: 'x', k: 'service' }, issuer).kind).toBe('service')
    expect(principalFromClaims({ sub: 'x', client_id: 'x' }, issuer).kind).toBe('agent')
  })

  it('identifies people by the id claim and agents by their subject', () => {
    const issuer = withClaims({ id: 'email' })
    expect(principalFromClaims({ sub: '17', email: 'ana@x.test' }, issuer).id).toBe('corp/ana@x.test')
    expect(principalFromClaims({ sub: 'bot', client_id: 'bot' }, issuer).id).toBe('corp/bot')
  })

  it('makes the actor the principal and the subject the one it acts for', () => {
    const claims = { sub: 'ana', groups: ['a', 'b'], act: { sub: 'bot', groups: ['b', 'c'] } }
    expect(principalFromClaims(claims, ISSUER)).toMatchObject({
      kind: 'agent',
      id: 'corp/bot',
      subject: 'bot',
      groups: ['a', 'b', 'c'],
      actingFor: { kind: 'user', id: 'corp/ana', subject: 'ana', groups: ['a', 'b'] },
    })
  })

  it('accepts one group as a plain string, and none at all', () => {
    expect(principalFromClaims({ sub: 'ana', groups: 'a' }, ISSUER).groups).toEqual(['a'])
    expect(principalFromClaims({ sub: 'ana' }, ISSUER).groups).toEqual([])
  })

  it('does not mistake what every object inherits for a claim', () => {
    const issuer = withClaims({ groups: 'constructor', attributes: { a: 'toString' } })
    expect(principalFromClaims({ sub: 'ana' }, issuer)).toMatchObject({ groups: [], attributes: {} })
  })

  const many = Array.from({ length: 257 }, (_, i) => `g${i}`)
  it.each<[string, Record<string, unknown>, TrustedIssuer?]>([
    ['no subject', {}],
    ['a subject that is a number', { sub: 7 }],
    ['an empty subject', { sub: '' }],
    ['a subject that begins with a space', { sub: ' ana' }],
    ['a subject that ends with a no-break space', { sub: 'ana\u00a0' }],
    ['a subject with a line feed', { sub: 'a\nb' }],
    ['a subject with an invisible joiner', { sub: 'a\u200db' }],
    ['a subject with a text direction override', { sub: 'a\u202eb' }],
    ['a subject that is not NFC', { sub: 'Jose\u0301' }],
    ['a subject with a lone surrogate', { sub: 'a\ud800' }],
    ['a subject of 256 characters', { sub: 'a'.repeat(256) }],
    ['no id claim', { sub: '1' }, withClaims({ id: 'email' })],
    ['groups that are an object', { sub: 'a', groups: { a: 1 } }],
    ['a group that is a number', { sub: 'a', groups: ['x', 1] }],
    ['an empty group', { sub: 'a', groups: [''] }],
    ['too many groups', { sub: 'a', groups: many }],
    [
      'too many groups together with the actor',
      { sub: 'a', groups: many.slice(1), act: { sub: 'b', groups: 'z' } },
    ],
    ['a group that is too long', { sub: 'a', groups: ['x'.repeat(257)] }],
    ['groups that are only referred to', { sub: 'a', _claim_names: { groups: 'src1' } }],
    ['groups that are only hinted at', { sub: 'a', hasgroups: true }],
    ['an attribute that is a list', { sub: 'a', email: ['x'] }],
    ['an attribute that is too long', { sub: 'a', email: 'x'.repeat(1025) }],
    ['an unknown kind', { sub: 'a', k: 'root' }, withClaims({ kind: 'k' })],
    ['act that is a string', { sub: 'a', act: 'bot' }],
    ['act that is null', { sub: 'a', act: null }],
    ['act that is a list', { sub: 'a', act: [{ sub: 'bot' }] }],
    ['act without a subject', { sub: 'a', act: {} }],
    ['act with an odd subject', { sub: 'a', act: { sub: 'bot ' } }],
    ['act in act', { sub: 'a', act: { sub: 'bot', act: { sub: 'other' } } }],
    ['an actor of another issuer', { sub: 'a', act: { sub: 'bot', iss: 'https://evil.example' } }],
  ])('refuses %s', (_, claims, issuer = ISSUER) => {
    expect(() => principalFromClaims(claims, issuer)).toThrow(
      expect.objectContaining({ code: 'AUTH_TOKEN_INVALID' }),
    )
  })

  it('gives a bounded principal or AUTH_TOKEN_INVALID, whatever the claims are', () => {
    const key = fc.constantFrom(
      'sub',
      'groups',
      'act',
      'email',
      'k',
      'client_id',
      '_claim_names',
      '__proto__',
      'iss',
    )
    const claims = fc.dictionary(
      key,
      fc.oneof(fc.jsonValue(), fc.string({ unit: 'grapheme' }), fc.dictionary(key, fc.jsonValue())),
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(claims, fc.option(fc.string()), (generated, sub) => {
        try {
          const all = sub === null ? generated : { ...generated, sub }
          const principal = principalFromClaims(all, withClaims({ kind: 'k' }))
          expect(principal.id).toMatch(/^corp\/./)
          expect(principal.id.length).toBeLessThanOrEqual(260)
          expect(principal.groups.every((group) => typeof group === 'string')).toBe(true)
          expect(Object.values(principal.attributes).every((value) => typeof value === 'string')).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(AuthenticationFailed)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('never gives two subjects ids that are canonically the same', () => {
    const subject = fc.string({ unit: 'grapheme' })
    fc.assert(
      fc.property(subject, (sub) => {
        const twins = ['NFC', 'NFD', 'NFKC', 'NFKD'].map((form) => sub.normalize(form))
        const accepted = [...new Set([sub, ...twins])].map(canonicalId).filter((id) => id !== undefined)
        expect(new Set(accepted).size).toBe(accepted.length)
      }),
    )
  })
})
