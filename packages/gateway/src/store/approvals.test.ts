import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTargetPostgres, type TargetPostgres } from '../../../../test/harness/postgres.ts'
import { Approvals } from '../approvals/approvals.ts'
import { ana, asked, bo, cy, person, rule, statement } from '../approvals/approval.fixture.ts'
import type { Approval } from '../approvals/ports.ts'
import { StoredApprovals } from './approvals.ts'
import { openStore, type Store } from './database.ts'
import { emptyDatabase, silent } from './store.fixture.ts'

let server: TargetPostgres
let store: Store
beforeAll(async () => {
  server = await startTargetPostgres()
  store = await openStore({ url: await emptyDatabase(server, 'approvals'), log: silent })
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  await server.stop()
})

interface World {
  readonly approvals: Approvals
  readonly audited: string[]
  readonly told: string[]
  clock: number
}

/** A gateway's approvals over the real store; the clock is ours. */
function world(clock = Date.now()): World {
  const made: World = {
    audited: [],
    told: [],
    clock,
    approvals: new Approvals({
      store: new StoredApprovals(store),
      audit: ({ type }) => void made.audited.push(type),
      log: { warn: () => undefined, error: () => undefined },
      metrics: { requested: () => undefined, settled: () => undefined },
      limits: { waiting: 2000, waitingPerPrincipal: 1500 },
      now: () => made.clock,
    }),
  }
  made.approvals.feed.subscribe(({ type }) => void made.told.push(type))
  return made
}

let unique = 0
/** A statement that no other test has. */
const fresh = () => statement({ text: `UPDATE orders SET status = $1 WHERE id = $2 -- ${unique++}` })
const yes = { verdict: 'approve', reason: 'looked at it', surface: 'api' } as const
const no = { verdict: 'deny', reason: 'too wide', surface: 'api' } as const
const policies = asked().need.policies

async function settle<T>(promises: readonly Promise<T>[]): Promise<{ won: T[]; lost: { code: string }[] }> {
  const results = await Promise.allSettled(promises)
  return {
    won: results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    lost: results.flatMap((one) => (one.status === 'rejected' ? [one.reason as { code: string }] : [])),
  }
}

test('what is kept comes back as it was', async () => {
  const { approvals } = world()
  const odd = statement({
    text: 'SELECT \u202E\u0001 "✓"',
    parameters: [
      { format: 1, type: 23, value: Buffer.from([0, 255, 0, 1]) },
      { format: 0, type: 0, value: null },
    ],
  })
  const need = { policies: ['p'], rules: [rule({ quorum: 2 })], reason: 'r' }
  const waiting = await approvals.request(asked({ statement: odd, need }))
  await approvals.preview(waiting.id, { rows: 3, plan: ['x \u0000'] })
  await approvals.decide(waiting.id, bo, {
    ...yes,
    grant: { kind: 'pattern', seconds: 60, anyLiterals: true },
  })
  expect(await approvals.get(waiting.id)).toMatchObject({
    id: expect.stringMatching(/^apr_[0-9a-z]{20}$/),
    state: 'pending',
    kind: 'statement',
    statement: { text: odd.text, parameters: [{ format: 1, type: 23, value: 'AP8AAQ==' }, { value: null }] },
    preview: { rows: 3, plan: ['x \u0000'] },
    principal: { id: 'insight-agent', actingFor: { id: 'ana' } },
    reported: { purpose: 'refund the duplicates' },
    decisions: [
      { person: { id: 'bo' }, groups: ['dba'], grant: { anyLiterals: true }, at: expect.any(Date) },
    ],
  })
})

test('approved, used once, and audited at every step', async () => {
  const { approvals, audited, told } = world()
  const binding = asked({ statement: fresh() })
  const waiting = await approvals.request(binding)
  await approvals.decide(waiting.id, bo, yes)
  expect(await waiting.outcome).toMatchObject({ state: 'granted' })
  expect(await approvals.redeem(waiting.id, binding, policies)).toEqual({
    id: waiting.id,
    approvedBy: ['bo'],
    groups: ['dba'],
    grantedAt: expect.any(Number),
  })
  await expect(approvals.redeem(waiting.id, binding, policies)).rejects.toMatchObject({
    code: 'APPROVAL_DECIDED',
  })
  expect(audited).toEqual(['approval.request', 'approval.decide', 'approval.use'])
  expect(told).toEqual(['requested', 'granted', 'used'])
})

test('what differs when it is used is not let through, and leaves the approval unused', async () => {
  const { approvals } = world()
  const binding = asked({ statement: fresh() })
  const waiting = await approvals.request(binding)
  await approvals.decide(waiting.id, bo, yes)
  for (const changed of [
    { statement: fresh() },
    { target: 'other' },
    { principal: ana },
    { policyVersion: 'v2' },
    { statement: { ...binding.statement, searchPath: ['evil'] } as never },
  ]) {
    await expect(approvals.redeem(waiting.id, { ...binding, ...changed }, policies)).rejects.toMatchObject({
      code: 'APPROVAL_CHANGED',
    })
  }
  expect(await approvals.redeem(waiting.id, binding, policies)).toMatchObject({ id: waiting.id })
})

test('nobody decides who may not, and the attempt is audited', async () => {
  const { approvals, audited } = world()
  const { id } = await approvals.request(asked({ statement: fresh() }))
  const own = person('ana', ['dba'])
  await expect(approvals.decide(id, own, yes)).rejects.toMatchObject({ code: 'APPROVAL_NOT_YOURS' })
  await expect(approvals.decide(id, own, no)).rejects.toMatchObject({ code: 'APPROVAL_NOT_YOURS' })
  await expect(approvals.decide(id, bo, { ...yes, reason: ' ' })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  })
  await expect(approvals.decide('apr_none', bo, yes)).rejects.toMatchObject({ code: 'APPROVAL_UNKNOWN' })
  expect(audited).toEqual(['approval.request', 'access.denied', 'access.denied'])
  expect((await approvals.get(id))?.state).toBe('pending')
})

describe('races', () => {
  test('twenty approvals and denials at once have one outcome', async () => {
    const { approvals, audited } = world()
    for (let round = 0; round < 10; round++) {
      const waiting = await approvals.request(asked({ statement: fresh() }))
      const people = Array.from({ length: 20 }, (_, i) => person(`p${i}`, ['dba']))
      const { won, lost } = await settle(
        people.map((one, i) => approvals.decide(waiting.id, one, i % 2 === 0 ? yes : no)),
      )
      expect(won).toHaveLength(1)
      expect(lost.every(({ code }) => code === 'APPROVAL_DECIDED')).toBe(true)
      expect((await waiting.outcome).state).toBe(won[0]?.state)
      expect((await approvals.get(waiting.id))?.decisions).toHaveLength(1)
    }
    expect(audited.filter((type) => type === 'approval.decide')).toHaveLength(10)
  })

  test('a double click counts once', async () => {
    const { approvals } = world()
    const need = { policies, rules: [rule({ quorum: 2 })], reason: 'r' }
    const { id } = await approvals.request(asked({ statement: fresh(), need }))
    const { won } = await settle(Array.from({ length: 10 }, () => approvals.decide(id, bo, yes)))
    expect(won).toHaveLength(1)
    expect((await approvals.get(id))?.state).toBe('pending')
    expect((await approvals.decide(id, cy, yes)).state).toBe('granted')
  })

  test('of twenty uses at once one goes through', async () => {
    const { approvals } = world()
    const binding = asked({ statement: fresh() })
    const { id } = await approvals.request(binding)
    await approvals.decide(id, bo, yes)
    const { won, lost } = await settle(
      Array.from({ length: 20 }, () => approvals.redeem(id, binding, policies)),
    )
    expect([won.length, lost.length]).toEqual([1, 19])
    expect((await approvals.get(id))?.uses).toBe(1)
  })

  test('approved and withdrawn at once: whatever wins, it never runs after it was withdrawn', async () => {
    const { approvals } = world()
    for (let round = 0; round < 20; round++) {
      const binding = asked({ statement: fresh(), durable: false })
      const waiting = await approvals.request(binding)
      const deciding = approvals.decide(waiting.id, bo, yes).catch(() => undefined)
      waiting.leave('the client has gone')
      const used = await approvals.redeem(waiting.id, binding, policies).then(
        () => true,
        () => false,
      )
      await deciding
      await expect.poll(async () => (await approvals.get(waiting.id))?.state).not.toBe('granted')
      expect((await approvals.get(waiting.id))?.state).toBe(used ? 'used' : 'withdrawn')
    }
  })

  test('a grant is used no more often than it says', async () => {
    const { approvals } = world()
    const binding = asked({ statement: fresh() })
    const { id } = await approvals.request(binding)
    await approvals.decide(id, bo, { ...yes, grant: { kind: 'pattern', seconds: 60, maxUses: 3 } })
    const { won } = await settle(Array.from({ length: 12 }, () => approvals.redeem(id, binding, policies)))
    expect(won).toHaveLength(3)
    expect(await approvals.get(id)).toMatchObject({ state: 'used', uses: 3 })
  })
})

describe('time', () => {
  test('nobody decides after the deadline, and it is expired by itself', async () => {
    const made = world(Date.now() - 900_000 + 50)
    const waiting = await made.approvals.request(asked({ statement: fresh() }))
    made.clock += 900_000
    await expect(made.approvals.decide(waiting.id, bo, yes)).rejects.toMatchObject({
      code: 'APPROVAL_DECIDED',
    })
  })

  test('a waiting request is told that its time is over', async () => {
    const { approvals, audited } = world()
    const made = new Approvals({
      store: new StoredApprovals(store),
      audit: ({ type }) => void audited.push(type),
      log: { warn: () => undefined, error: () => undefined },
      metrics: { requested: () => undefined, settled: () => undefined },
      limits: { waiting: 10, waitingPerPrincipal: 10 },
      now: Date.now,
    })
    const need = { policies, rules: [rule({ ttlSeconds: 0.05 })], reason: 'r' }
    const waiting = await made.request(asked({ statement: fresh(), need }))
    expect((await waiting.outcome).state).toBe('expired')
    expect(audited).toEqual(['approval.request', 'approval.expire'])
    expect((await approvals.get(waiting.id))?.closedBecause).toBe('nobody decided in time')
  })
})

describe('the same statement again', () => {
  test('is the same request while it waits, however many ask at once', async () => {
    const { approvals } = world()
    const binding = asked({ statement: fresh() })
    const all = await Promise.all(Array.from({ length: 10 }, () => approvals.request(binding)))
    expect(new Set(all.map(({ id }) => id)).size).toBe(1)
    await approvals.decide(all[0]?.id ?? '', bo, yes)
    for (const one of all) expect((await one.outcome).state).toBe('granted')
    expect(approvals.waiting).toBe(0)
  })

  test('finds the answer that has come meanwhile, and asks again when that is used', async () => {
    const { approvals } = world()
    const binding = asked({ statement: fresh() })
    const first = await approvals.request(binding)
    first.leave('the call has ended')
    await approvals.decide(first.id, bo, yes)
    const second = await approvals.request(binding)
    expect(second.id).toBe(first.id)
    await approvals.redeem(second.id, binding, policies)
    expect((await approvals.request(binding)).id).not.toBe(first.id)
  })

  test('on the wire is a request of its own', async () => {
    const { approvals } = world()
    const binding = asked({ statement: fresh(), durable: false })
    const [a, b] = await Promise.all([approvals.request(binding), approvals.request(binding)])
    expect(a?.id).not.toBe(b?.id)
  })
})

describe('after a restart', () => {
  test('what outlives its session can be decided and used; what does not is withdrawn', async () => {
    const before = world()
    const binding = asked({ statement: fresh() })
    const wire = asked({ statement: fresh(), durable: false })
    const kept = await before.approvals.request(binding)
    const lost = await before.approvals.request(wire)
    const lostGranted = await before.approvals.request({ ...wire, statement: fresh() })
    await before.approvals.decide(lostGranted.id, bo, yes)
    before.approvals[Symbol.dispose]()

    const after = world()
    await after.approvals.start()
    expect((await after.approvals.get(lost.id))?.state).toBe('withdrawn')
    expect((await after.approvals.get(lostGranted.id))?.state).toBe('withdrawn')
    await after.approvals.decide(kept.id, bo, yes)
    const again = await after.approvals.request(binding)
    expect(again.id).toBe(kept.id)
    expect(await after.approvals.redeem(again.id, binding, policies)).toMatchObject({ approvedBy: ['bo'] })
  })

  test('what was approved before it is found after it', async () => {
    const before = world()
    const binding = asked({ statement: fresh() })
    const { id } = await before.approvals.request(binding)
    await before.approvals.decide(id, bo, yes)
    before.approvals[Symbol.dispose]()
    const after = world()
    await after.approvals.start()
    expect((await after.approvals.request(binding)).id).toBe(id)
  })
})

test('a connection that was approved carries what the same policies ask, until it is revoked', async () => {
  const { approvals } = world()
  const connect = asked({ statement: undefined, target: 'carried' })
  const waiting = await approvals.request(connect)
  await approvals.decide(waiting.id, bo, yes)
  const binding = asked({ statement: fresh(), target: 'carried' })
  const covered = await approvals.request(binding)
  expect(covered.id).toBe(waiting.id)
  await approvals.redeem(covered.id, binding, policies)
  await approvals.redeem(covered.id, connect, policies)
  await expect(approvals.revoke(covered.id, person('eve', ['admins']), 'x')).rejects.toMatchObject({
    code: 'APPROVAL_NOT_YOURS',
  })
  expect(await approvals.revoke(covered.id, ana, 'done')).toMatchObject({ state: 'withdrawn' })
  await expect(approvals.redeem(covered.id, binding, policies)).rejects.toMatchObject({
    code: 'APPROVAL_DECIDED',
  })
  expect((await approvals.request(binding)).id).not.toBe(covered.id)
})

test('a thousand wait at once, and each is told within a tenth of a second', async () => {
  const { approvals } = world()
  const all = await Promise.all(
    Array.from({ length: 1000 }, (_, i) =>
      approvals.request(asked({ statement: fresh(), sessionId: `ses_${i}` })),
    ),
  )
  expect(approvals.waiting).toBe(1000)
  const told: number[] = []
  for (const waiting of all.slice(0, 50)) {
    let decidedAt = 0
    using _ = approvals.feed.subscribe(({ approval }) => {
      if (approval.id === waiting.id) decidedAt = performance.now()
    })
    await approvals.decide(waiting.id, bo, yes)
    await waiting.outcome
    told.push(performance.now() - decidedAt)
  }
  expect(Math.max(...told)).toBeLessThan(100)
  await expect(
    Promise.all(Array.from({ length: 600 }, () => approvals.request(asked({ statement: fresh() })))),
  ).rejects.toMatchObject({ code: 'LIMIT_REACHED' })
})

test('earlier requests of the same shape are counted by what became of them', async () => {
  const { approvals } = world()
  const shape = 'DELETE FROM carts WHERE id = ?'
  const one = (id: number) =>
    asked({ target: 'similar', statement: statement({ text: `DELETE FROM carts WHERE id = ${id}`, shape }) })
  const [a, b, c] = await Promise.all([1, 2, 3].map((id) => approvals.request(one(id))))
  await approvals.decide(a?.id ?? '', bo, yes)
  await approvals.decide(b?.id ?? '', bo, no)
  const last = (await approvals.get(c?.id ?? '')) as Approval
  expect(await approvals.similar(last)).toMatchObject({ total: 2, granted: 1, denied: 1, expired: 0 })
})

test('what is too long for people to review is not asked', async () => {
  const { approvals } = world()
  const padded = statement({ text: `DROP TABLE x --${' '.repeat(1024 * 1024)}` })
  await expect(approvals.request(asked({ statement: padded }))).rejects.toMatchObject({
    code: 'LIMIT_REACHED',
  })
  const hidden = statement({ text: 'SELECT 1\0; DROP TABLE x' })
  await expect(approvals.request(asked({ statement: hidden }))).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  })
  expect(approvals.waiting).toBe(0)
})
