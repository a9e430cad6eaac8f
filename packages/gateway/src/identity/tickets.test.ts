import { inspect } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Principal } from '../access/model.ts'
import { Secret } from '../access/secret.ts'
import { MemoryTicketStore } from './memory-ticket-store.fixture.ts'
import { Tickets } from './tickets.ts'

const ANA: Principal = {
  kind: 'user',
  id: 'ana',
  issuer: 'https://idp.example.com',
  subject: 'ana',
  groups: [],
  attributes: {},
}
const REQUEST = { target: 'shop', ttlSeconds: 60 }

let clock: number
let store: MemoryTicketStore
let tickets: Tickets

beforeEach(() => {
  clock = Date.UTC(2026, 0, 1)
  store = new MemoryTicketStore()
  tickets = new Tickets({ store, key: Buffer.alloc(32, 1), now: () => clock })
})

/** Everything about a refusal that leaves the gateway. */
async function refusal(ticket: Secret, target = 'shop'): Promise<{ shown: unknown; cause: unknown }> {
  const error: unknown = await tickets.redeem(ticket, target).catch((thrown: unknown) => thrown)
  if (!(error instanceof Error) || !('code' in error) || !('hint' in error))
    throw new Error('it was not refused')
  return { shown: [error.name, error.code, error.message, error.hint], cause: String(error.cause) }
}

describe('Tickets', () => {
  it('issues an id and 256 random bits, until the ttl is over', async () => {
    const { id, ticket, expiresAt } = await tickets.issue(ANA, REQUEST)
    expect(id).toMatch(/^tkt_[a-z2-7]{16}$/)
    expect(ticket.reveal()).toMatch(/^spt_[A-Za-z0-9_-]{43}$/)
    expect(expiresAt.getTime()).toBe(clock + 60_000)
  })

  it('stores nothing that a ticket could be made from', async () => {
    const { ticket } = await tickets.issue(ANA, REQUEST)
    expect(inspect(store.rows, { depth: 9 })).not.toContain(ticket.reveal().slice(4))
    const withOtherKey = new Tickets({ store, key: Buffer.alloc(32, 2), now: () => clock })
    await expect(withOtherKey.redeem(ticket, 'shop')).rejects.toThrow('not valid')
  })

  it('redeems a ticket as often as it is shown, until the moment it expires', async () => {
    const { ticket } = await tickets.issue(ANA, REQUEST)
    clock += 59_999
    expect((await tickets.redeem(ticket, 'shop')).row.principal).toEqual(ANA)
    expect((await tickets.redeem(ticket, 'shop')).row.principal).toEqual(ANA)
    clock += 1
    expect((await refusal(ticket)).cause).toContain('expired')
  })

  it('shows the same refusal whatever was wrong, and keeps the reason as the cause', async () => {
    const expired = await tickets.issue(ANA, { ...REQUEST, ttlSeconds: 1 })
    const revoked = await tickets.issue(ANA, REQUEST)
    const good = await tickets.issue(ANA, REQUEST)
    await tickets.revoke(revoked.id)
    clock += 1_000
    const refusals = [
      await refusal(expired.ticket),
      await refusal(revoked.ticket),
      await refusal(good.ticket, 'payroll'),
      await refusal(new Secret(`spt_${'A'.repeat(43)}`)),
      await refusal(new Secret('spt_short')),
    ]
    expect(new Set(refusals.map(({ shown }) => JSON.stringify(shown))).size).toBe(1)
    expect(refusals.map(({ cause }) => cause)).toEqual([
      expect.stringContaining('expired'),
      expect.stringContaining('revoked'),
      expect.stringContaining('another target'),
      expect.stringContaining('unknown'),
      expect.stringContaining('malformed'),
    ])
  })

  it('tells every listener of a revocation, also when one of them fails', async () => {
    const { id } = await tickets.issue(ANA, REQUEST)
    const heard: string[] = []
    tickets.onRevoked(() => {
      throw new Error('broken')
    })
    tickets.onRevoked((ticketId) => heard.push(ticketId))
    await expect(tickets.revoke(id)).rejects.toThrow('a listener failed')
    expect(heard).toEqual([id])
  })

  it('tells listeners of a ticket that another gateway has revoked already', async () => {
    const { id } = await tickets.issue(ANA, REQUEST)
    const heard: string[] = []
    tickets.onRevoked((ticketId) => heard.push(ticketId))
    expect([await tickets.revoke(id), await tickets.revoke(id)]).toEqual([true, false])
    expect(heard).toEqual([id, id])
  })

  it('stops telling a listener that has left', async () => {
    const heard: string[] = []
    const leave = tickets.onRevoked((ticketId) => heard.push(ticketId))
    leave()
    await tickets.revoke('tkt_x')
    expect(heard).toEqual([])
  })

  it('confirms a redeemed ticket until it is revoked', async () => {
    const { id, ticket } = await tickets.issue(ANA, REQUEST)
    const { confirm } = await tickets.redeem(ticket, 'shop')
    await confirm()
    await tickets.revoke((await tickets.issue(ANA, REQUEST)).id)
    await confirm()
    await tickets.revoke(id)
    await expect(confirm()).rejects.toThrow(expect.objectContaining({ code: 'AUTH_TICKET_INVALID' }))
  })

  it.each([
    ['no time', { ttlSeconds: 0 }],
    ['half a second', { ttlSeconds: 0.5 }],
    ['all eternity', { ttlSeconds: Number.POSITIVE_INFINITY }],
    ['more than a day', { ttlSeconds: 86_401 }],
    ['a purpose as long as a book', { purpose: 'x'.repeat(1025) }],
    ['a session id as long as a letter', { clientSession: 'x'.repeat(257) }],
  ])('issues none for %s', async (_, changes) => {
    await expect(tickets.issue(ANA, { ...REQUEST, ...changes })).rejects.toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID' }),
    )
    expect(store.rows.size).toBe(0)
  })

  it('takes no key of another length', () => {
    expect(() => new Tickets({ store, key: Buffer.alloc(16) })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })
})
