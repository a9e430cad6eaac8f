import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { endOf } from '../harness/session-end.ts'
import { until } from '../harness/until.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let world: TestGateway
let superuser: Client
beforeAll(async () => {
  world = await startTestGateway()
  superuser = await world.target.client('shop')
})
afterAll(() => world[Symbol.asyncDispose]())

async function roleOf(client: Client): Promise<string> {
  const { rows } = await client.query<{ role: string }>('SELECT current_user AS role')
  return rows[0]?.role ?? ''
}

/** As the target itself sees it. */
async function can(role: string, privilege: string, column?: string): Promise<boolean> {
  const { rows } = await superuser.query<{ can: boolean }>(
    column === undefined
      ? `SELECT has_table_privilege($1, 'customers', $2) AS can`
      : `SELECT has_column_privilege($1, 'customers', $3, $2) AS can`,
    column === undefined ? [role, privilege] : [role, privilege, column],
  )
  return rows[0]?.can ?? false
}

async function apply(more: string): Promise<void> {
  const api = await world.access.api('eve', { groups: ['admins'] })
  const { version } = await api.resources.current()
  const read = async (path: string) => ({ path, text: await readFile(join(world.resources, path), 'utf8') })
  const files = [await read('targets.yaml'), await read('policies.cedar'), { path: 'more.cedar', text: more }]
  await api.resources.apply({ expected: version, files })
}

/** Milliseconds until it is so. */
async function took(what: string, check: () => Promise<boolean>): Promise<number> {
  const began = performance.now()
  await until(what, async () => ((await check()) ? true : undefined))
  return performance.now() - began
}

test('a role loses a privilege while its session is connected, within a second of the policy, and gets it back', async () => {
  await apply('')
  const client = await world.access.connect('ana', { groups: ['readers', 'writers'] })
  const role = await roleOf(client)
  expect([await can(role, 'SELECT'), await can(role, 'DELETE')]).toEqual([true, true])
  await client.query('BEGIN')
  await client.query('SELECT FROM customers LIMIT 1')

  await apply(
    '@id("closed") forbid (principal, action == Action::"delete", resource == Table::"shop/public.customers");',
  )
  expect(await took('DELETE is gone', async () => !(await can(role, 'DELETE')))).toBeLessThan(1000)
  expect(await can(role, 'SELECT')).toBe(true)
  expect((await client.query('SELECT FROM customers LIMIT 1')).rowCount).toBe(1)

  await apply('')
  expect(await took('DELETE is back', () => can(role, 'DELETE'))).toBeLessThan(1000)
  expect((await client.query('DELETE FROM customers WHERE id = 1000')).rowCount).toBe(1)
  await client.query('ROLLBACK')
  expect(await roleOf(client)).toBe(role)
  await client.end()
})

test('a session that began read-only stays so when it gets a privilege to write; the next one does not begin so', async () => {
  await apply('')
  const client = await world.access.connect('rita', { groups: ['readers'] })
  const role = await roleOf(client)
  await apply('@id("rita") permit (principal == User::"rita", action == Action::"update", resource);')
  await until('UPDATE is there', async () => ((await can(role, 'UPDATE')) ? true : undefined))
  const update = "UPDATE customers SET city = 'Bruges' WHERE id = 1"
  await expect(client.query(update)).rejects.toMatchObject({ code: '25006' })
  await client.end()
  const next = await world.access.connect('rita', { groups: ['readers'] })
  expect((await next.query(update)).rowCount).toBe(1)
  await next.end()
})

test('a table that others make is there for open sessions a little later', async () => {
  await apply('')
  const client = await world.access.connect('omar')
  await superuser.query('CREATE TABLE arrivals AS SELECT 1 AS id')
  await superuser.query('GRANT SELECT ON arrivals TO sallyport_issuer WITH GRANT OPTION')
  await until('the new table can be read', async () =>
    client.query('SELECT id FROM arrivals').then(
      ({ rowCount }) => (rowCount === 1 ? true : undefined),
      () => undefined,
    ),
  )
  await superuser.query('DROP TABLE arrivals')
  await client.end()
})

test('a session whose privileges cannot be changed ends', async () => {
  await apply('')
  const client = await world.access.connect('bea')
  const ended = endOf(client)
  // The account may not any more what the gateway needs it for.
  await superuser.query('ALTER ROLE sallyport_issuer NOCREATEROLE')
  await superuser.query(`DO $$ DECLARE r text; BEGIN
    FOR r IN SELECT roleid::regrole::text FROM pg_auth_members
      WHERE member = 'sallyport_issuer'::regrole AND admin_option
    LOOP EXECUTE 'REVOKE ADMIN OPTION FOR ' || r || ' FROM sallyport_issuer CASCADE'; END LOOP; END $$`)
  await apply('@id("cities") forbid (principal, action, resource == Table::"shop/public.cities");')
  expect(await ended).toMatchObject({ code: '57P01', message: expect.stringContaining('privileges changed') })
  await superuser.query('ALTER ROLE sallyport_issuer CREATEROLE')
})
