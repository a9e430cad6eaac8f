import { existsSync } from 'node:fs'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { startTargetPostgres } from './postgres.ts'

test('a server for tests takes the superuser, and leaves nothing behind', async () => {
  const server = await startTargetPostgres({ settings: ['work_mem=7MB'] })
  const client = await server.client()
  expect((await client.query('SHOW work_mem')).rows).toEqual([{ work_mem: '7MB' }])
  await client.query('CREATE DATABASE shop')
  expect((await (await server.client('shop')).query('SELECT current_database() AS d')).rows).toEqual([
    { d: 'shop' },
  ])
  await server.stop()
  expect(existsSync(server.data)).toBe(false)
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH')
})

test('with tls its certificate verifies', async () => {
  await using server = await startTargetPostgres({ tls: true })
  const client = new Client({
    connectionString: server.url.reveal(),
    ssl: { ca: server.ca, rejectUnauthorized: true },
  })
  await client.connect()
  const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
  await client.end()
  expect(rows).toEqual([{ ssl: true }])
})

test('several start at once', async () => {
  const servers = await Promise.all([1, 2, 3].map(() => startTargetPostgres()))
  expect(new Set(servers.map((server) => server.port)).size).toBe(3)
  await Promise.all(servers.map((server) => server.stop()))
})
