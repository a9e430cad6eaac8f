import type { Client as ApiClient } from '@sallyport/api'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { APPROVAL_POLICIES } from '../harness/approval-policies.ts'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { until } from '../harness/until.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 180_000 })

let gateway: TestGateway
let dba: ApiClient
let superuser: pg.Client

beforeAll(async () => {
  gateway = await startTestGateway({
    policies: APPROVAL_POLICIES,
    prepare: async (shop) => {
      await shop.query(`
        CREATE SCHEMA other;
        CREATE TABLE other.notes (id int PRIMARY KEY, text text);
        GRANT ALL ON ALL TABLES IN SCHEMA other TO sallyport_issuer WITH GRANT OPTION;
        GRANT ALL ON SCHEMA other, public TO sallyport_issuer WITH GRANT OPTION`)
    },
  })
  dba = await gateway.access.api('bo', { groups: ['dba'] })
  superuser = await gateway.target.client('shop')
})
afterAll(async () => {
  expect(gateway.errors).toEqual([])
  await gateway[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await superuser.query(`TRUNCATE notes, other.notes;
    INSERT INTO notes VALUES (1, 'one'), (2, 'two'), (3, 'three');
    INSERT INTO other.notes SELECT * FROM notes`)
})

const agent = (): Promise<pg.Client> => gateway.access.connect('ana', { groups: ['agents'] })

/** The one request that waits, for a statement that begins like this. */
async function waiting(summary: string): Promise<string> {
  return await until(`a request for ${summary} waits`, async () => {
    const { approvals } = await dba.approvals.list({ state: 'pending' })
    return approvals.find((approval) => approval.summary?.startsWith(summary))?.id
  })
}

async function approve(summary: string): Promise<string> {
  const id = await waiting(summary)
  await dba.approvals.approve(id, { reason: 'looked at it' })
  return id
}

async function failure(running: Promise<unknown>): Promise<pg.DatabaseError> {
  return (await running.then(
    () => {
      throw new Error('it ran')
    },
    (error: unknown) => error,
  )) as pg.DatabaseError
}

const notes = async (table = 'notes'): Promise<string> =>
  (await superuser.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`)).rows.map((r) => r.id).join()

/** The role that a session has on the target. That of an impact preview is another one. */
async function roleOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ role: string }>('SELECT current_user AS role')
  return rows[0]?.role ?? ''
}

/** What the role may do on the table right now. */
async function mayWrite(role: string): Promise<boolean> {
  const { rows } = await superuser.query<{ may: boolean }>(
    "SELECT has_table_privilege($1, 'notes', 'DELETE, UPDATE, INSERT') AS may",
    [role],
  )
  return rows[0]?.may === true
}

test('a person approves the statement, and it runs', async () => {
  const client = await agent()
  const role = await roleOf(client)
  const running = client.query('DELETE FROM notes WHERE id = $1', [2])
  const id = await waiting('DELETE FROM notes')
  expect(await mayWrite(role)).toBe(false)
  await dba.approvals.approve(id, { reason: 'looked at it' })
  expect((await running).rowCount).toBe(1)
  expect(await notes()).toBe('1,3')
  expect(await mayWrite(role)).toBe(false)
  expect(await dba.approvals.get(id)).toMatchObject({ state: 'used', uses: 1 })
})

test('it writes in a transaction that has only read before', async () => {
  const client = await agent()
  await client.query('BEGIN')
  await client.query('SELECT count(*) FROM notes')
  const running = client.query('DELETE FROM notes')
  await approve('DELETE FROM notes')
  await running
  await client.query('COMMIT')
  expect(await notes()).toBe('')
})

test('a denial says who and why, and the session goes on', async () => {
  const client = await agent()
  const running = failure(client.query('DELETE FROM notes'))
  await dba.approvals.deny(await waiting('DELETE FROM notes'), { reason: 'not on a friday' })
  const error = await running
  expect(error.code).toBe('42501')
  expect(error.message).toContain('bo denied it: not on a friday')
  expect(error.where).toContain('APPROVAL_DENIED')
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
  expect(await notes()).toBe('1,2,3')
})

test('what is created with an approval needs a schema for as long as that', async () => {
  const client = await agent()
  const running = client.query('CREATE TABLE scratch (id int)')
  await approve('CREATE TABLE scratch')
  await running
  const again = failure(client.query('CREATE TABLE scratch2 (id int)'))
  await dba.approvals.deny(await waiting('CREATE TABLE scratch2'), { reason: 'one is enough' })
  await again
  const { rows } = await superuser.query<{ may: boolean }>(
    `SELECT bool_or(has_schema_privilege(oid, 'public', 'CREATE')) AS may
     FROM pg_roles WHERE rolname ~ '^sp_[0-9a-f]{8}_l_'`,
  )
  expect(rows[0]?.may).toBe(false)
})

test('a request ends with the connection that waits for it', async () => {
  const client = await agent()
  void client.query('DELETE FROM notes').catch(() => undefined)
  const id = await waiting('DELETE FROM notes')
  await client.end()
  await until('it is withdrawn', async () =>
    (await dba.approvals.get(id)).state === 'withdrawn' ? true : undefined,
  )
  await expect(dba.approvals.approve(id, { reason: 'too late' })).rejects.toMatchObject({
    code: 'APPROVAL_DECIDED',
  })
  expect(await notes()).toBe('1,2,3')
})

test('a catalog that changes between asking and running asks again', async () => {
  const client = await agent()
  const running = failure(client.query('DELETE FROM notes WHERE id = 1'))
  const id = await waiting('DELETE FROM notes')
  await superuser.query('ALTER TABLE notes ADD COLUMN changed int')
  try {
    await dba.approvals.approve(id, { reason: 'looked at it' })
    expect((await running).where).toContain('APPROVAL_CHANGED')
    expect(await notes()).toBe('1,2,3')
  } finally {
    await superuser.query('ALTER TABLE notes DROP COLUMN changed')
  }
})

test('people are shown what it would do, found out without doing it', async () => {
  const client = await agent()
  const running = failure(client.query('DELETE FROM notes WHERE id > $1', [1]))
  const id = await waiting('DELETE FROM notes')
  const preview = await until('it is previewed', async () => (await dba.approvals.get(id)).preview)
  expect(preview).toMatchObject({
    countedRows: 2,
    rows: expect.stringMatching(/^2 counted a moment ago, about \d+ estimated$/),
    plan: expect.arrayContaining([expect.stringMatching(/^Delete on notes/)]),
    tables: expect.arrayContaining(['delete public.notes']),
    triggers: [],
    cascades: [],
    reversible: expect.stringMatching(/^no: /),
  })
  await dba.approvals.deny(id, { reason: 'seen enough' })
  await running
  expect(await notes()).toBe('1,2,3')
})
