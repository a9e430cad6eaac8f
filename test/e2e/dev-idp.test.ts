import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DevIdp, startDevIdp } from '../../packages/cli/src/dev/idp.ts'
import { PERSONAS } from '../../packages/cli/src/dev/idp-personas.ts'
import { Secret } from '../../packages/gateway/src/access/secret.ts'
import { Identity } from '../../packages/gateway/src/identity/identity.ts'
import { MemoryTicketStore } from '../../packages/gateway/src/identity/memory-ticket-store.fixture.ts'

let idp: DevIdp
let identity: Identity

beforeAll(async () => {
  idp = await startDevIdp({ port: 0, log: () => {} })
  identity = new Identity({
    issuers: [
      {
        issuer: idp.issuer,
        audience: 'sallyport',
        prefix: undefined,
        algorithms: [],
        claims: { id: 'sub', groups: 'groups', kind: undefined, attributes: { email: 'email' } },
      },
    ],
    tickets: new MemoryTicketStore(),
    ticketKey: Buffer.alloc(32),
  })
})
afterAll(async () => await idp.close())

describe('the gateway and the development identity provider', () => {
  it.each(PERSONAS)('agree on who $name is', async ({ name, kind, groups }) => {
    expect(await identity.bearer(new Secret(await idp.token(name)))).toMatchObject({
      kind: kind === 'agent' ? 'agent' : 'user',
      id: name,
      groups,
      attributes: kind === 'agent' ? {} : { email: `${name}@shop.example` },
    })
  })

  it('agree on which agent acts for whom', async () => {
    const token = await idp.token('insight-agent', { onBehalfOf: 'dora' })
    expect(await identity.bearer(new Secret(token))).toMatchObject({
      kind: 'agent',
      id: 'insight-agent',
      groups: ['dba', 'data-science'],
      actingFor: { kind: 'user', id: 'dora', groups: ['dba'] },
    })
  })
})
