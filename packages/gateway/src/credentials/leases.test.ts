import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { capabilityOf } from '../access/capability.ts'
import { SallyportError } from '../access/errors.ts'
import type { Target } from '../access/model.ts'
import type { Upstream } from '../protocols/contract.ts'
import { PostgresRoleIssuer } from '../protocols/postgres/credentials.ts'
import { type IssuerTarget, startIssuerTarget } from '../protocols/postgres/issuer-target.fixture.ts'
import type { Lease } from './held-lease.ts'
import { INSIGHT, type LeaseWorld, openLeaseWorld, READ, withChanges, WRITE } from './leases.fixture.ts'

let server: IssuerTarget
const signal = AbortSignal.timeout(10 * 60_000)

beforeAll(async () => {
  server = await startIssuerTarget()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})
beforeEach(async () => {
  // Every test leaves the target as it found it.
  expect((await server.roles()).filter((role) => role.includes('_l_'))).toEqual([])
})

const leaseRoles = async (): Promise<readonly string[]> =>
  (await server.roles()).filter((role) => role.includes('_l_'))
const prewarmed = (prewarm: number, ttlSeconds = 900): Target => ({
  ...server.target,
  credentials: { ...server.target.credentials, prewarm, ttlSeconds },
})
const until = <T>(check: () => Promise<T> | T): Promise<T> => vi.waitFor(check, { timeout: 10_000 })
const issue = (world: LeaseWorld, sessionId = 'ses_1') =>
  world.leases.issue({ permit: world.permit(), capability: READ, sessionId, signal })

test('a lease is in store, target and audit log, and after its use revoked in all three', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  {
    await using lease = await issue(world)
    await using upstream = await lease.connect(signal)
    expect(upstream.alive).toBe(true)
    expect(await leaseRoles()).toEqual([lease.handle])
    expect(await world.store.get(lease.id)).toMatchObject({
      state: 'issued',
      target: 'shop',
      handle: lease.handle,
      capability: READ.hash,
      sessionId: 'ses_1',
      principal: INSIGHT,
      expiresAt: lease.expiresAt,
    })
  }
  expect(await leaseRoles()).toEqual([])
  expect(await world.store.open()).toEqual([])
  expect(world.events.map(({ type, sessionId }) => [type, sessionId])).toEqual([
    ['lease.issue', 'ses_1'],
    ['lease.revoke', 'ses_1'],
  ])
})

test("a session's own deadline comes before the lease's", async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  const deadline = new Date(Date.now() + 60_000)
  await using lease = await world.leases.issue({
    permit: world.permit(),
    capability: READ,
    sessionId: 'ses_1',
    signal,
    deadline,
  })
  expect(lease.expiresAt).toEqual(deadline)
  expect((await world.store.get(lease.id))?.expiresAt).toEqual(deadline)
})

test('a lease serves one session', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  await using lease = await issue(world)
  await using _upstream = await lease.connect(signal)
  await expect(lease.connect(signal)).rejects.toMatchObject({ code: 'LEASE_FAILED' })
})

test('revoking tells the session, and the role is gone', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  await using lease = await issue(world)
  await using _upstream = await lease.connect(signal)
  await world.leases.revoke(lease.id, 'revoked by omar')
  expect(lease.signal.reason).toMatchObject({
    code: 'SESSION_ENDED',
    message: expect.stringContaining('by omar'),
  })
  expect(await leaseRoles()).toEqual([])
  await world.leases.revoke(lease.id)
  await expect(world.leases.revoke('lea_unknown')).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
})

test('what fails after the role was made is revoked', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target, (options) => ({
    ...options,
    issuers: (name) => {
      const issuer = options.issuers(name)
      if (issuer === undefined) return undefined
      return withChanges(issuer, {
        issue: async (...args: Parameters<typeof issuer.issue>) => {
          await issuer.issue(...args)
          throw new Error('the connection broke')
        },
      })
    },
  }))
  await expect(issue(world)).rejects.toThrow('the connection broke')
  await until(async () => expect(await world.store.open()).toEqual([]))
  expect(await leaseRoles()).toEqual([])
})

test('nothing is made that cannot be written down', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target, (options) => ({
    ...options,
    audit: () => {
      throw new Error('the journal is full')
    },
  }))
  await expect(issue(world)).rejects.toThrow('the journal is full')
  await until(async () => expect(await world.store.open()).toEqual([]))
  expect(await leaseRoles()).toEqual([])
})

test('the audit log has a lease before the store has its plan, and the store before the target has its role', async () => {
  const order: string[] = []
  await using world = await openLeaseWorld(server.storeUrl, server.target, (options) => ({
    ...options,
    audit: (event) => order.push(event.type),
    store: withChanges(options.store, {
      async plan(row) {
        order.push('plan')
        await options.store.plan(row)
      },
    }),
    issuers: (name) => {
      const issuer = options.issuers(name)
      if (issuer === undefined) return undefined
      return withChanges(issuer, {
        async issue(plan, within) {
          order.push('role')
          return await issuer.issue(plan, within)
        },
      })
    },
  }))
  await using lease = await issue(world)
  expect(order).toEqual(['lease.issue', 'plan', 'role'])
  expect(await leaseRoles()).toEqual([lease.handle])
})

test('a lease that is revoked while its role is being made leaves no role', async () => {
  const begun = Promise.withResolvers<string>()
  const goOn = Promise.withResolvers<void>()
  await using world = await openLeaseWorld(server.storeUrl, server.target, (options) => ({
    ...options,
    issuers: (name) => {
      const issuer = options.issuers(name)
      if (issuer === undefined) return undefined
      return withChanges(issuer, {
        async issue(plan, within) {
          begun.resolve(plan.leaseId)
          await goOn.promise
          return await issuer.issue(plan, within)
        },
      })
    },
  }))
  const issuing = issue(world)
  const revoking = world.leases.revoke(await begun.promise)
  goOn.resolve()
  await expect(issuing).rejects.toMatchObject({ code: 'SESSION_ENDED' })
  await revoking
  expect(await leaseRoles()).toEqual([])
  expect(await world.store.open()).toEqual([])
})

test('a lease that was revoked before it is used does not connect', async () => {
  await using world = await openLeaseWorld(server.storeUrl, prewarmed(1))
  await (await issue(world))[Symbol.asyncDispose]()
  await until(async () => expect(await leaseRoles()).toHaveLength(1))
  await until(async () => expect((await world.store.open())[0]?.state).toBe('issued'))
  await using lease = await issue(world, 'ses_2')
  const revoking = world.leases.revoke(lease.id)
  await expect(lease.connect(signal)).rejects.toMatchObject({ code: 'SESSION_ENDED' })
  await revoking
})

test('a target that is down refuses the session, and the lease is finished when it is back', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  world.reachable = false
  await expect(issue(world)).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' })
  await until(async () => expect((await world.store.open())[0]?.attempts).toBe(1))
  world.reachable = true
  await until(async () => expect(await world.sweeper.sweep()).toMatchObject({ revoked: 1, failed: 0 }))
  expect(await world.store.open()).toEqual([])
})

test('64 sessions at once get 64 leases, and leave none', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  const handles = await Promise.all(
    Array.from({ length: 64 }, async (_, i) => {
      await using lease = await issue(world, `ses_${i}`)
      await using _upstream = await lease.connect(signal)
      return lease.handle
    }),
  )
  expect(new Set(handles).size).toBe(64)
  expect(await leaseRoles()).toEqual([])
  expect(await world.store.open()).toEqual([])
})

test('a clean stop leaves no role at all', async () => {
  {
    await using world = await openLeaseWorld(server.storeUrl, prewarmed(1))
    await warmed(world, 1)
    expect((await server.roles()).map((role) => role.includes('_c_'))).toContain(true)
  }
  expect(await server.roles()).toEqual([])
})

async function warmed(world: LeaseWorld, count: number): Promise<void> {
  await using _first = await issue(world, 'ses_first')
  await until(async () => {
    const rows = await world.store.list({ target: 'shop', state: 'issued', limit: 100 })
    expect(rows.filter((row) => row.sessionId === undefined).length).toBe(count)
    expect(world.leases.ready).toBe(count)
  })
}

test('leases made ahead are handed out once each, and replaced', async () => {
  await using world = await openLeaseWorld(server.storeUrl, prewarmed(2))
  await warmed(world, 2)
  const ready = await leaseRoles()
  const used = []
  for (const sessionId of ['ses_a', 'ses_b']) {
    await using lease = await issue(world, sessionId)
    await using upstream = await lease.connect(signal)
    expect(upstream.alive).toBe(true)
    used.push(lease.handle)
    await until(async () =>
      expect(await world.store.get(lease.id)).toMatchObject({ sessionId, principal: INSIGHT }),
    )
  }
  expect(used.toSorted()).toEqual(ready)
  await until(async () => expect((await leaseRoles()).length).toBe(2))
  for (const handle of used) expect(await leaseRoles()).not.toContain(handle)
})

test('a lease made ahead whose connection died is not handed out', async () => {
  const upstreams: Upstream[] = []
  await using world = await openLeaseWorld(server.storeUrl, prewarmed(1), (options) => ({
    ...options,
    connect: async (...args) => {
      const upstream = await options.connect(...args)
      upstreams.push(upstream)
      return upstream
    },
  }))
  await warmed(world, 1)
  const [dead] = await leaseRoles()
  await server.admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [
    dead,
  ])
  await until(() => expect(upstreams.some(({ alive }) => alive)).toBe(false))
  await using lease = await issue(world, 'ses_x')
  expect(lease.handle).not.toBe(dead)
  await using upstream = await lease.connect(signal)
  expect(upstream.alive).toBe(true)
})

test('leases made ahead are discarded when policies change, when unused, and when too old', async () => {
  await using world = await openLeaseWorld(server.storeUrl, prewarmed(1))
  await warmed(world, 1)
  world.leases.discardWarm()
  await until(async () => expect(await leaseRoles()).toEqual([]))

  await warmed(world, 1)
  const [old] = await leaseRoles()
  world.clock.offset = 8 * 60_000
  await using lease = await issue(world, 'ses_later')
  expect(lease.handle).not.toBe(old)
})

test('a lease that cannot be assigned ends its session', async () => {
  await using world = await openLeaseWorld(server.storeUrl, prewarmed(1), (options) => ({
    ...options,
    store: withChanges(options.store, {
      assign: () => Promise.reject(new Error('the store is down')),
    }),
  }))
  await warmed(world, 1)
  await using lease = await issue(world, 'ses_y')
  await until(() => expect(lease.signal.reason).toMatchObject({ code: 'STORE_UNAVAILABLE' }))
  await until(async () => expect(await world.store.get(lease.id)).toMatchObject({ state: 'revoked' }))
})

test('capabilities do not share leases', async () => {
  await using world = await openLeaseWorld(server.storeUrl, prewarmed(1))
  await warmed(world, 1)
  const [ready] = await leaseRoles()
  const other = capabilityOf([{ verb: 'select', schema: 'public', table: 'orders' }])
  await using lease = await world.leases.issue({
    permit: world.permit(),
    capability: other,
    sessionId: 'ses_z',
    signal,
  })
  expect(lease.handle).not.toBe(ready)
})

const ORDERS = capabilityOf([{ verb: 'select', schema: 'public', table: 'orders' }])

/** What the role of a lease can do on the target, in the target's own words. */
async function privileges(handle: string): Promise<readonly string[]> {
  const { rows } = await server.admin.query<{ can: string }>(
    `SELECT p || ' ' || t AS can FROM unnest(ARRAY['customers', 'orders']) t, unnest(ARRAY['SELECT', 'INSERT']) p
     WHERE has_table_privilege($1, t, p) ORDER BY 1`,
    [handle],
  )
  return rows.map(({ can }) => can)
}

test('a lease is changed while it is in use, and the audit log says so', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  await using lease = await issue(world)
  await using upstream = await lease.connect(signal)
  await lease.change(ORDERS)
  expect(await privileges(lease.handle)).toEqual(['SELECT orders'])
  expect([lease.capability, upstream.alive, lease.signal.aborted]).toEqual([ORDERS, true, false])
  expect(world.events.at(-1)).toMatchObject({
    type: 'lease.change',
    sessionId: 'ses_1',
    detail: { capability: ORDERS.hash },
  })
})

test('several statements of a session have something on top at once, each as long as it lasts', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  await using lease = await issue(world)
  const [one, other] = await Promise.all([lease.elevate(WRITE), lease.elevate(WRITE)])
  const third = await lease.elevate(ORDERS)
  expect(await privileges(lease.handle)).toEqual(['INSERT customers', 'SELECT customers', 'SELECT orders'])
  await one.release()
  await one.release()
  expect(await privileges(lease.handle)).toContain('INSERT customers')
  await Promise.all([other, third].map((extra) => extra.release()))
  expect(await privileges(lease.handle)).toEqual(['SELECT customers'])
})

test('a change meanwhile leaves what a statement has on top, and only that', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  await using lease = await issue(world)
  const extra = await lease.elevate(WRITE)
  await lease.change(ORDERS)
  expect(await privileges(lease.handle)).toEqual(['INSERT customers', 'SELECT orders'])
  await extra.release()
  expect(await privileges(lease.handle)).toEqual(['SELECT orders'])
})

test('grants that went with a table come back when it is made anew', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  await using lease = await issue(world)
  await server.admin.query('REVOKE SELECT ON customers FROM PUBLIC')
  await server.admin.query(`SET ROLE sallyport_issuer`)
  await server.admin.query(
    `DO $$ DECLARE r text; BEGIN FOR r IN SELECT roleid::regrole::text FROM pg_auth_members
       WHERE member = '${lease.handle}'::regrole LOOP EXECUTE 'REVOKE SELECT ON customers FROM ' || r; END LOOP; END $$`,
  )
  await server.admin.query('RESET ROLE')
  expect(await privileges(lease.handle)).toEqual([])
  // What the catalog's being read does when it has changed.
  await server.admin.query('CREATE TABLE passing (i int)')
  await world.issuer.catalog(signal)
  await server.admin.query('DROP TABLE passing')
  await world.issuer.catalog(signal)
  await lease.change(READ, true)
  expect(await privileges(lease.handle)).toEqual(['SELECT customers'])
})

/** A world in which the next `failing` assignments reach the target, and their answers do not come back. */
async function withFailures(failing: { left: number }): Promise<LeaseWorld> {
  return await openLeaseWorld(server.storeUrl, server.target, (options) => ({
    ...options,
    issuers: (name) => {
      const issuer = options.issuers(name)
      if (issuer === undefined) return undefined
      return withChanges(issuer, {
        async assign(...args) {
          await issuer.assign(...args)
          if (failing.left-- > 0) throw new Error('the connection broke')
        },
      })
    },
  }))
}

test('what could not be changed for certain costs the session, and the role is gone', async () => {
  await using world = await withFailures({ left: 1 })
  await using lease = await issue(world)
  await using _upstream = await lease.connect(signal)
  await lease.change(ORDERS)
  expect(lease.signal.reason).toMatchObject({ code: 'SESSION_ENDED' })
  await until(async () => expect(await leaseRoles()).toEqual([]))
})

test('an extension that failed is taken back, and the session goes on', async () => {
  await using world = await withFailures({ left: 1 })
  await using lease = await issue(world)
  await expect(lease.elevate(WRITE)).rejects.toMatchObject({ code: 'INTERNAL' })
  expect(await privileges(lease.handle)).toEqual(['SELECT customers'])
  expect(lease.signal.aborted).toBe(false)
})

test('an extension that got no answer, and may yet come true, costs the session', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target, (options) => ({
    ...options,
    issuers: (name) => {
      const issuer = options.issuers(name)
      const assign = (): Promise<void> =>
        Promise.reject(new SallyportError('TARGET_UNREACHABLE', 'the connection broke'))
      return issuer && withChanges(issuer, { assign })
    },
  }))
  await using lease = await issue(world)
  await expect(lease.elevate(WRITE)).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' })
  expect(lease.signal.reason).toMatchObject({ code: 'SESSION_ENDED' })
  await until(async () => expect(await leaseRoles()).toEqual([]))
})

test('sessions whose privileges are being changed survive that the account of their target is another one', async () => {
  const former = new PostgresRoleIssuer(server.target)
  await using latter = new PostgresRoleIssuer(server.target)
  let current = former
  await using world = await openLeaseWorld(server.storeUrl, server.target, (options) => ({
    ...options,
    issuers: () => current,
  }))
  const leases = await Promise.all(Array.from({ length: 20 }, () => issue(world)))
  const changes = leases.map((lease) => lease.change(ORDERS))
  await sleep(5)
  current = latter
  await former[Symbol.asyncDispose]()
  await Promise.all(changes)
  expect(leases.filter((lease) => lease.signal.aborted)).toEqual([])
  await Promise.all(leases.map((lease) => lease[Symbol.asyncDispose]()))
  expect(await leaseRoles()).toEqual([])
})

test('a lease made ahead for a client that goes away while it is changed is revoked', async () => {
  const client = new AbortController()
  let hasToWait = false
  const { promise: goOn, resolve: letGo } = Promise.withResolvers<void>()
  await using world = await openLeaseWorld(server.storeUrl, prewarmed(1), (options) => ({
    ...options,
    issuers: (name) => {
      const issuer = options.issuers(name)
      return (
        issuer &&
        withChanges(issuer, {
          async assign(...args) {
            if (hasToWait) {
              client.abort(new Error('the client is gone'))
              await goOn
            }
            await issuer.assign(...args)
          },
        })
      )
    },
  }))
  const ask = (stop: AbortSignal): Promise<Lease> =>
    world.leases.issue({
      permit: world.permit(),
      capability: READ,
      sessionId: 'ses_gone',
      signal: stop,
      forStatement: true,
    })
  await (await ask(signal))[Symbol.asyncDispose]()
  await until(() => expect(world.leases.ready).toBe(1))
  hasToWait = true
  await expect(ask(client.signal)).rejects.toThrow('the client is gone')
  letGo()
  await until(async () => {
    const open = await world.store.open()
    expect(open.filter((row) => row.sessionId === 'ses_gone')).toEqual([])
  })
})

test('an extension that can neither be made nor taken back costs the session', async () => {
  await using world = await withFailures({ left: 2 })
  await using lease = await issue(world)
  await expect(lease.elevate(WRITE)).rejects.toThrow()
  expect(lease.signal.reason).toMatchObject({ code: 'SESSION_ENDED' })
  await until(async () => expect(await leaseRoles()).toEqual([]))
})

test('an extension that cannot be taken away costs the session', async () => {
  const failing = { left: 0 }
  await using world = await withFailures(failing)
  await using lease = await issue(world)
  const extra = await lease.elevate(WRITE)
  failing.left = 1
  await extra.release()
  expect(lease.signal.reason).toMatchObject({ code: 'SESSION_ENDED' })
  await until(async () => expect(await leaseRoles()).toEqual([]))
})

test('nothing is extended that cannot be written down, and a change that takes away is made all the same', async () => {
  let full = false
  await using world = await openLeaseWorld(server.storeUrl, server.target, (options) => ({
    ...options,
    audit: () => {
      if (full) throw new Error('the journal is full')
    },
  }))
  await using lease = await issue(world)
  full = true
  await expect(lease.elevate(WRITE)).rejects.toThrow('the journal is full')
  await lease.change(ORDERS)
  expect(await privileges(lease.handle)).toEqual(['SELECT orders'])
  full = false
})

test('a lease that has ended is not extended, and its end does not wait for what was', async () => {
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  const lease = await issue(world)
  const extra = await lease.elevate(WRITE)
  await lease[Symbol.asyncDispose]()
  await extra.release()
  await expect(lease.elevate(WRITE)).rejects.toMatchObject({ code: 'LEASE_FAILED' })
  await lease.change(ORDERS)
  expect(await leaseRoles()).toEqual([])
})

test('a lease for one statement is one that could do nothing, made ahead, and is replaced', async () => {
  await using world = await openLeaseWorld(server.storeUrl, prewarmed(1))
  const forStatement = async (capability: typeof READ, sessionId: string) =>
    await world.leases.issue({ permit: world.permit(), capability, sessionId, signal, forStatement: true })
  await (await forStatement(READ, 'ses_first'))[Symbol.asyncDispose]()
  for (const [capability, can] of [
    [ORDERS, ['SELECT orders']],
    [READ, ['SELECT customers']],
    [capabilityOf([]), []],
  ] as const) {
    const ready = await until(async () => {
      const rows = await world.store.list({ target: 'shop', state: 'issued', limit: 100 })
      const handles = rows.filter((row) => row.sessionId === undefined).map(({ handle }) => handle)
      expect(handles).toHaveLength(1)
      expect(await privileges(handles[0] ?? '')).toEqual([])
      expect(world.leases.ready).toBe(1)
      return handles[0]
    })
    await using lease = await forStatement(capability, 'ses_next')
    await using _upstream = await lease.connect(signal)
    expect([lease.handle, await privileges(lease.handle)]).toEqual([ready, can])
  }
})
