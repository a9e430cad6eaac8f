import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sallyport, stubGateway } from '../stub-gateway.fixture.ts'

const POLICIES = `@id("reads")
permit (principal in Group::"data-science", action == Action::"select", resource in Schema::"shop/public");
@id("where")
forbid (principal, action == Action::"delete", resource)
unless { context.statement.hasWhere };
`
const CASES = `kind: PolicyTest
target: { name: shop, tags: { env: prod } }
as: { user: ana, groups: [data-science] }
catalog: { public.orders: [id, total] }
cases:
  - name: analysts read orders
    sql: SELECT total FROM orders
    expect: { decision: permit, policies: [reads] }
  - name: nobody deletes every row
    sql: DELETE FROM orders
    expect: { decision: deny, policies: [where] }
`

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-policy-'))
  await writeFile(join(folder, 'policies.cedar'), POLICIES)
  await writeFile(join(folder, 'policies.test.yaml'), CASES)
})

afterEach(() => rm(folder, { recursive: true }))

describe('policy test', () => {
  test('needs no gateway, and says what passed', async () => {
    const { code, stdout, stderr } = await sallyport(['policy', 'test', folder])
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout:
        '✓ analysts read orders  policies.test.yaml:6\n✓ nobody deletes every row  policies.test.yaml:9\n',
      stderr: '2 cases passed\n',
    })
  })

  test('ends with 8 when a case fails, and shows how it differs', async () => {
    await writeFile(join(folder, 'policies.cedar'), POLICIES.replace('"select"', '"insert"'))
    const { code, stdout, stderr } = await sallyport(['policy', 'test', folder])
    expect(code).toBe(8)
    expect(stdout).toContain('✗ analysts read orders  policies.test.yaml:6\n')
    expect(stdout).toContain('    decision\n      - expected  permit\n      + got       deny\n')
    expect(stdout).toContain('    because   select on public.orders is not permitted for ana')
    expect(stderr).toContain('1 of 2 cases failed')
  })

  test('says it to programs as data', async () => {
    const { stdout } = await sallyport(['policy', 'test', folder, '-o', 'json'])
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'analysts read orders', path: 'policies.test.yaml', line: 6, differences: [] },
      { name: 'nobody deletes every row' },
    ])
  })

  test('says where a case itself is wrong', async () => {
    await writeFile(
      join(folder, 'policies.test.yaml'),
      CASES.replace('expect: { decision: permit', 'expct: { decision: permit'),
    )
    const { code, stderr } = await sallyport(['policy', 'test', folder])
    expect(code).toBe(2)
    expect(stderr).toContain('policies.test.yaml:8:5  unknown key "expct" (did you mean "expect"?)')
  })
})

describe('policy lint', () => {
  test('shows mistakes with their place and what was probably meant', async () => {
    await writeFile(join(folder, 'policies.cedar'), POLICIES.replace('hasWhere', 'hasWere'))
    const { code, stdout } = await sallyport(['policy', 'lint', folder])
    expect(code).toBe(2)
    expect(stdout).toMatch(/^policies\.cedar:5:10 .*hasWere.*hasWhere/)
  })

  test('finds names that nothing bears', async () => {
    const { code, stdout } = await sallyport(['policy', 'lint', folder])
    expect({ code, stdout }).toEqual({
      code: 2,
      stdout: 'policies.cedar:2:93  there is no target "shop"\n',
    })
  })

  test('asks a gateway what targets really have', async () => {
    const target = `kind: Target
name: shop
protocol: postgres
address: 127.0.0.1:5432
database: shop
credentials: { issuer: postgres-role, username: x, password: { env: P } }
`
    await writeFile(join(folder, 'targets.yaml'), target)
    const finding = { file: 'policies.cedar', line: 2, column: 1, message: 'no such table' }
    await using gateway = await stubGateway({
      'POST /api/v1/policy/lint': { status: 200, body: { findings: [finding], catalogs: ['shop'] } },
    })
    const offline = await sallyport(['policy', 'lint', folder])
    expect(offline).toMatchObject({ code: 0, stdout: '', stderr: '3 files: nothing found\n' })
    const env = { SALLYPORT_TOKEN: 't', SALLYPORT_URL: gateway.url }
    const online = await sallyport(['policy', 'lint', folder], env)
    expect(online).toMatchObject({ code: 2, stdout: 'policies.cedar:2:1  no such table\n' })
  })
})

const SIMULATION = {
  decision: 'approval',
  policies: [{ id: 'dba', effect: 'forbid', file: 'p.cedar', line: 3, text: 'forbid (\n  principal);' }],
  reason: 'needs an approval',
  alarms: [],
  approval: {
    reason: 'rows do not come back',
    rules: [{ policy: 'dba', approvers: ['dba'], quorum: 2, ttlSeconds: 900 }],
  },
  operations: [
    { action: 'delete', on: 'public.orders', decision: 'approval', policies: ['dba'] },
    { action: 'select', on: 'public.orders', columns: ['id'], decision: 'permit', policies: ['reads'] },
  ],
  functions: [{ name: 'now', volatility: 'stable', harmless: true }],
  facts: { hasWhere: true, functions: ['now'] },
  masks: [{ columns: ['clear', 'pii.email (token)'], hidesTexts: true }],
  guesses: 1,
}

test('policy simulate asks for somebody, and shows all that it would be decided by', async () => {
  await using gateway = await stubGateway({
    'POST /api/v1/policy/simulate': { status: 200, body: SIMULATION },
  })
  const env = { SALLYPORT_TOKEN: 't', SALLYPORT_URL: gateway.url }
  const who = ['--as', 'agent:bot', '--groups', 'a, b', '--for', 'ana', '--for-groups', 'c']
  const { code, stdout } = await sallyport(
    ['policy', 'simulate', '--on', 'shop', ...who, 'DELETE FROM orders'],
    env,
  )
  expect(gateway.bodies.at(-1)).toEqual({
    target: 'shop',
    sql: 'DELETE FROM orders',
    via: 'postgres',
    as: {
      kind: 'agent',
      id: 'bot',
      groups: ['a', 'b'],
      actingFor: { kind: 'user', id: 'ana', groups: ['c'] },
    },
  })
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `⏸ needs approval
  why      needs an approval
  asks     2 of dba within 900 s (dba)
  does     ⏸ delete public.orders  [dba]
  does     ✓ select public.orders (id)  [reads]
  calls    now (stable)
  facts    hasWhere=true
  masks    clear | pii.email (token)
  masks    texts of errors and notices
  guesses  1 comparison of masked columns

  forbid dba  p.cedar:3
    forbid (
      principal);
`,
  })
})

test('policy explain shows the statement, what was decided, and the policies', async () => {
  const explained = {
    id: 'ses_1.2',
    at: '2026-01-01T00:00:01.000Z',
    session: 'ses_1',
    principal: 'bot',
    actingFor: 'ana',
    target: 'shop',
    text: 'SELECT 1',
    effect: 'deny',
    operations: ['select public.orders'],
    reason: 'not permitted',
    policies: [],
    gone: ['was-there'],
  }
  await using gateway = await stubGateway({
    'GET /api/v1/policy/decisions/ses_1.2': { status: 200, body: explained },
  })
  const env = { SALLYPORT_TOKEN: 't', SALLYPORT_URL: gateway.url }
  const { stdout } = await sallyport(['policy', 'explain', 'ses_1.2'], env)
  expect(stdout).toBe(`✗ denied
  decision  ses_1.2 at 2026-01-01T00:00:01.000Z
  who       bot for ana on shop
  sql       SELECT 1
  does      select public.orders
  why       not permitted
  policy    was-there, which is in force no more
`)
})
