import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TargetPostgres } from '../../../../test/harness/postgres.ts'
import { startTargetPostgres } from '../../../../test/harness/postgres.ts'
import { Secret } from '../access/secret.ts'
import { openStore } from './database.ts'
import { reached } from './store-error.ts'
import { emptyDatabase, silent } from './store.fixture.ts'

let server: TargetPostgres
beforeAll(async () => {
  server = await startTargetPostgres()
})
afterAll(() => server.stop())

test('the installation id is made once and stays', async () => {
  const url = await emptyDatabase(server, 'installation')
  const first = await openStore({ url, log: silent })
  const id = first.installationId
  await first[Symbol.asyncDispose]()
  await using second = await openStore({ url, log: silent })
  expect(id).toMatch(/^[0-9a-f]{8}$/)
  expect(second.installationId).toBe(id)
})

test('a second gateway on the same store is refused', async () => {
  const url = await emptyDatabase(server, 'busy')
  await using first = await openStore({ url, log: silent })
  await expect(openStore({ url, log: silent })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: 'another gateway is using this store',
  })
  expect(first.evicted.aborted).toBe(false)
})

test('it is a schema of its own in the database', async () => {
  await using store = await openStore({ url: await emptyDatabase(server, 'tables'), log: silent })
  const { rows } = await sql<{ schema: string }>`
    SELECT DISTINCT schemaname AS schema FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`.execute(store.db)
  expect(rows).toEqual([{ schema: 'sallyport' }])
})

test('quick connections do not wait for the disk, the others do', async () => {
  await using store = await openStore({ url: await emptyDatabase(server, 'quick'), log: silent })
  expect(await store.quick.query('show', 'SHOW synchronous_commit', [])).toEqual([
    { synchronous_commit: 'off' },
  ])
})

test('a database that is not there is STORE_UNAVAILABLE, and the address is not in the message', async () => {
  const url = new Secret('postgres://someone:hunter2@127.0.0.1:1/none')
  const error = await openStore({ url, log: silent }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(String(error)).not.toContain('hunter2')
})

test('lost connections are made again, and the lock is taken again', async () => {
  const url = await emptyDatabase(server, 'cut')
  await using store = await openStore({ url, log: silent })
  const admin = await server.client()
  const lockHolders = async (): Promise<number[]> => {
    const { rows } = await admin.query<{ pid: number }>(
      `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = 'cut')`,
    )
    return rows.map((row) => row.pid)
  }
  const before = await lockHolders()
  await admin.query(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'cut'`)
  await expect.poll(lockHolders, { timeout: 10_000 }).toHaveLength(1)
  expect(await lockHolders()).not.toEqual(before)
  await expect
    .poll(() => store.quick.query('one', 'SELECT 1 AS one', []).catch(() => []))
    .toEqual([{ one: 1 }])
  expect(store.evicted.aborted).toBe(false)
})

test('a gateway whose lock was taken while it was cut off is evicted', async () => {
  const url = await emptyDatabase(server, 'stolen')
  await using store = await openStore({ url, log: silent })
  const thief = await server.client('stolen')
  const waiting = thief.query('SELECT pg_advisory_lock(7310868253172592)')
  const admin = await server.client()
  await admin.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
     WHERE datname = 'stolen' AND application_name = 'sallyport lock'`,
  )
  await waiting
  await expect.poll(() => store.evicted.aborted, { timeout: 10_000 }).toBe(true)
  expect(store.evicted.reason).toMatchObject({ code: 'STORE_UNAVAILABLE' })
})

test('a schema that a newer version migrated is not touched', async () => {
  const url = await emptyDatabase(server, 'newer')
  const store = await openStore({ url, log: silent })
  await sql`INSERT INTO sallyport.kysely_migration VALUES ('9999-later', 'now')`.execute(store.db)
  await store[Symbol.asyncDispose]()
  await expect(openStore({ url, log: silent })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('newer version'),
  })
})

test('a fault in a statement is ours, not the database being away', async () => {
  await using store = await openStore({ url: await emptyDatabase(server, 'fault'), log: silent })
  await expect(reached(sql`SELECT * FROM nowhere`.execute(store.db))).rejects.toMatchObject({
    code: 'INTERNAL',
  })
})
