import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TargetPostgres } from '../../../../test/harness/postgres.ts'
import { startTargetPostgres } from '../../../../test/harness/postgres.ts'
import { capabilityOf } from '../access/capability.ts'
import type { Principal } from '../access/model.ts'
import type { Store } from './database.ts'
import { openStore } from './database.ts'
import { StoredLeases } from './leases.ts'
import { StoredResources } from './resources.ts'
import { emptyDatabase, silent } from './store.fixture.ts'
import { StoredTickets } from './tickets.ts'

let server: TargetPostgres
let store: Store
beforeAll(async () => {
  server = await startTargetPostgres()
  store = await openStore({ url: await emptyDatabase(server, 'ports'), log: silent })
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  await server.stop()
})

const ana: Principal = {
  kind: 'user',
  id: 'ana',
  issuer: 'https://idp',
  subject: 'ana',
  groups: ['data-science', 'odd \u0000 name'],
  attributes: { team: 'x' },
}
const capability = capabilityOf([{ verb: 'select', schema: 'public', table: 'orders' }])
const ids = (rows: readonly { id: string }[]): string[] => rows.map((row) => row.id)
const expiresAt = new Date('2030-01-01T00:00:00Z')

test('a lease goes from planned to revoked, and forgets nothing', async () => {
  const leases = new StoredLeases(store)
  await leases.plan({ id: 'lea_1', target: 'shop', handle: 'sp_l_1', capability, expiresAt })
  expect(await leases.get('lea_1')).toMatchObject({
    state: 'planned',
    capability: capability.hash,
    sessionId: undefined,
    principal: undefined,
    expiresAt,
    attempts: 0,
  })
  await leases.issued('lea_1')
  await leases.assign('lea_1', 'ses_1', ana)
  await leases.revoking('lea_1')
  await leases.failed('lea_1', 'no route \0to host')
  expect(await leases.get('lea_1')).toMatchObject({
    state: 'revoking',
    sessionId: 'ses_1',
    principal: ana,
    attempts: 1,
    lastError: 'no route to host',
  })
  await leases.revoked('lea_1')
  const row = await leases.get('lea_1')
  expect(row?.state).toBe('revoked')
  expect(row?.revokedAt).toBeInstanceOf(Date)
})

test('a lease that is being revoked does not come back', async () => {
  const leases = new StoredLeases(store)
  await leases.plan({ id: 'lea_2', target: 'back', handle: 'h', capability, expiresAt })
  await leases.revoking('lea_2')
  await leases.issued('lea_2')
  expect((await leases.get('lea_2'))?.state).toBe('revoking')
  await leases.revoked('lea_2')
  await leases.revoking('lea_2')
  expect((await leases.get('lea_2'))?.state).toBe('revoked')
})

test('open leases come oldest first, lists newest first, both by target', async () => {
  const leases = new StoredLeases(store)
  for (const id of ['lea_a', 'lea_b', 'lea_c']) {
    await leases.plan({
      id,
      target: 'order',
      handle: id,
      capability,
      expiresAt,
      sessionId: 's',
      principal: ana,
    })
  }
  await leases.revoked('lea_b')
  expect(ids(await leases.open('order'))).toEqual(['lea_a', 'lea_c'])
  expect(ids(await leases.open()).slice(-2)).toEqual(['lea_a', 'lea_c'])
  expect(ids(await leases.list({ target: 'order', limit: 2 }))).toEqual(['lea_c', 'lea_b'])
  expect(ids(await leases.list({ target: 'order', state: 'revoked', limit: 9 }))).toEqual(['lea_b'])
})

test('a ticket is found by its hash, revoked once, and pruned when it has ended', async () => {
  const tickets = new StoredTickets(store)
  const hash = Buffer.alloc(32, 7)
  const row = {
    id: 'tkt_1',
    principal: { ...ana, actingFor: ana },
    target: 'shop',
    purpose: undefined,
    clientSession: 'c',
    createdAt: new Date('2026-01-01T00:00:00Z'),
    expiresAt: new Date('2026-01-01T00:15:00Z'),
  }
  await tickets.put(row, hash)
  expect(await tickets.find(hash)).toEqual({ ...row, revokedAt: undefined })
  expect(await tickets.find(Buffer.alloc(32))).toBeUndefined()
  const at = new Date('2026-01-01T00:10:00Z')
  expect(await tickets.revoke('tkt_1', at)).toBe(true)
  expect(await tickets.revoke('tkt_1', at)).toBe(false)
  expect((await tickets.get('tkt_1'))?.revokedAt).toEqual(at)
  expect(await tickets.prune(at)).toBe(0)
  expect(await tickets.prune(new Date('2026-01-01T00:11:00Z'))).toBe(1)
  expect(await tickets.get('tkt_1')).toBeUndefined()
})

test('resources are replaced as a whole, and only from the version that was seen', async () => {
  const resources = new StoredResources(store)
  expect(await resources.current()).toBeUndefined()
  const files = [
    { path: 'b.yaml', text: 'b' },
    { path: 'a/é.cedar', text: 'permit(principal, action, resource);' },
  ]
  expect(await resources.replace(files, 0, 'ana')).toEqual({ version: 1, files: files.toReversed() })
  const results = await Promise.allSettled([
    resources.replace([], 1, 'ana'),
    resources.replace(files.slice(1), 1, 'omar'),
  ])
  expect(results.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected'])
  expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({
    code: 'RESOURCE_CONFLICT',
  })
  expect((await resources.current())?.version).toBe(2)
})

test('with the database gone every port says STORE_UNAVAILABLE', async () => {
  const gone = await startTargetPostgres()
  const cut = await openStore({ url: gone.url, log: silent })
  await gone.stop()
  await expect(new StoredLeases(cut).open()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(new StoredTickets(cut).get('x')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(new StoredResources(cut).current()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await cut[Symbol.asyncDispose]()
})
