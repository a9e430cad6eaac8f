import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { until } from '../harness/until.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const MORE = `
@id("glass")
@alarm("changed without approval")
permit (principal in Group::"on-call", action in Action::"write", resource in Schema::"shop/public")
when { context has purpose && context.purpose like "break-glass: *" };

@id("three-denials")
@reason("three denials within an hour")
forbid (principal == User::"vera", action, resource in Target::"shop")
when { context.lastHour.denials >= 3 };

@id("some-rows")
@reason("that was a lot")
forbid (principal == User::"rob", action == Action::"select", resource in Schema::"shop/public")
when { context.lastMinute.rows >= 5 };
`

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway({ files: { 'more.cedar': MORE } })
})
afterAll(() => world[Symbol.asyncDispose]())

async function files(more: { readonly path: string; readonly text: string }) {
  const read = async (path: string) => ({ path, text: await readFile(join(world.resources, path), 'utf8') })
  return [await read('targets.yaml'), await read('policies.cedar'), await read('more.cedar'), more]
}

const admin = () => world.access.api('eve', { groups: ['admins'] })

describe('cases that are applied beside the policies', () => {
  const cases = (decision: string) => `kind: PolicyTest
target: shop
as: { user: ana, groups: [readers] }
cases:
  - name: readers read
    sql: SELECT name FROM customers
    expect: ${decision}
`

  test('are run with what the target really has, and a failing one stops all of it', async () => {
    const api = await admin()
    const { version } = await api.resources.current()
    const failing = await files({ path: 'p.test.yaml', text: cases('deny') })
    await expect(api.resources.apply({ expected: version, files: failing })).rejects.toMatchObject({
      problem: {
        status: 422,
        code: 'POLICY_TESTS_FAILED',
        errors: [
          { file: 'p.test.yaml', line: 5, message: expect.stringContaining('expected deny, got permit') },
        ],
      },
    })
    expect((await api.resources.current()).version).toBe(version)
    const passing = await files({ path: 'p.test.yaml', text: cases('permit') })
    expect((await api.resources.apply({ expected: version, files: passing })).version).toBe(version + 1)
  })

  test('and names are compared with it', async () => {
    const text =
      '@id("x") permit (principal, action == Action::"select", resource == Table::"shop/public.custmers");'
    const report = await (await admin()).policy.lint({ files: await files({ path: 'x.cedar', text }) })
    expect(report.catalogs).toContain('shop')
    expect(report.findings).toContainEqual(
      expect.objectContaining({ file: 'x.cedar', hint: 'did you mean "customers"?' }),
    )
  })
})

test('a simulation says what then happens, and why', async () => {
  const api = await admin()
  const as = { kind: 'user' as const, id: 'ana', groups: ['readers'] }
  const sql = 'UPDATE customers SET name = upper(name) WHERE id = 1'
  const simulated = await api.policy.simulate({ target: 'shop', sql, as })
  expect(simulated).toMatchObject({
    decision: 'deny',
    reason: expect.stringContaining('update on public.customers'),
    operations: expect.arrayContaining([
      expect.objectContaining({
        action: 'update',
        on: 'public.customers',
        columns: ['name'],
        decision: 'deny',
      }),
      expect.objectContaining({ action: 'select', on: 'public.customers', decision: 'permit' }),
    ]),
    facts: { hasWhere: true, readOnly: false },
  })
  const client = await world.access.connect('ana', { groups: ['readers'] })
  await expect(client.query(sql)).rejects.toMatchObject({
    message: expect.stringContaining(simulated.reason ?? '-'),
  })
})

test('a decision is explained to whoever it was about, from the recording', async () => {
  const client = await world.access.connect('ana', { groups: ['readers'] })
  const failure: Error & { where?: string } = await client.query('TABLE secrets').then(
    () => Promise.reject(new Error('it was permitted')),
    (error: Error) => error,
  )
  const [id = ''] = /ses_[\w]+\.\d+/.exec(failure.where ?? '') ?? []
  const explained = await (await world.access.api('ana')).policy.explain(id)
  expect(explained).toMatchObject({
    id,
    principal: 'ana',
    text: 'TABLE secrets',
    effect: 'deny',
    policies: [
      {
        id: 'secrets-are-closed',
        effect: 'forbid',
        file: 'policies.cedar',
        text: expect.stringContaining('@reason("the table secrets is closed to everybody")'),
      },
    ],
  })
  await expect((await world.access.api('omar')).policy.explain(id)).rejects.toMatchObject({
    problem: { code: 'DECISION_UNKNOWN' },
  })
})

test('breaking the glass is audited and counted, each time', async () => {
  const groups = ['readers', 'on-call']
  const client = await world.access.connect('omar', { groups, purpose: 'break-glass: INC-1' })
  const update = 'UPDATE customers SET name = name WHERE id = 1'
  await client.query(update)
  await client.query(update)
  await client.query('SELECT name FROM customers')
  const store = await world.target.client('sallyport')
  const alarms = await until('both alarms are in the store', async () => {
    const { rows } = await store.query("SELECT event FROM sallyport.audit_events WHERE type = 'access.alarm'")
    return rows.length >= 2 ? rows : undefined
  })
  expect(alarms).toHaveLength(2)
  expect(alarms[0]?.event).toMatchObject({
    principal: 'omar',
    target: 'shop',
    detail: {
      policies: ['glass'],
      operations: expect.arrayContaining(['update public.customers']),
      purpose: 'break-glass: INC-1',
    },
  })
  const metrics = await (await fetch(`${world.access.url}/metrics`)).text()
  expect(metrics).toContain('sallyport_alarms_total{target="shop"} 2')
})

describe('what a principal did of late', () => {
  test('is counted over all its sessions', async () => {
    const groups = ['readers', 'writers']
    for (let i = 0; i < 3; i++) {
      const client = await world.access.connect('vera', { groups })
      await client.query('SELECT 1')
      await expect(client.query('TABLE secrets')).rejects.toThrow('secrets')
    }
    await expect(world.access.connect('vera', { groups })).rejects.toThrow('three denials within an hour')
    // Somebody else has a count of their own.
    await (await world.access.connect('ana', { groups })).query('SELECT 1')
  })

  test('counts rows, and prepared statements are asked about each time they run', async () => {
    const client = await world.access.connect('rob')
    const read = { name: 'read', text: 'SELECT generate_series(1, 3) FROM customers LIMIT 3' }
    await client.query(read)
    await client.query(read)
    await expect(client.query(read)).rejects.toThrow('that was a lot')
  })
})
