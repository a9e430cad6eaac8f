import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kill } from 'node:process'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clusterPlace } from './cluster-place.ts'
import { openConfiguredStore } from './open.ts'
import { runningPostmaster } from './postmaster.ts'
import { silent } from './store.fixture.ts'

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(await realpath(tmpdir()), 'sallyport-open-'))
  await chmod(dataDir, 0o711)
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

const open = () => openConfiguredStore({ database: undefined, dataDir, log: silent })

test('without a database there is an embedded one, which ends with the store and is used again', async () => {
  const first = await open()
  const { data } = await clusterPlace(join(dataDir, 'postgres'))
  const server = await runningPostmaster(data)
  expect(server?.status).toBe('ready')
  await first[Symbol.asyncDispose]()
  expect(await runningPostmaster(data)).toBeUndefined()
  expect(() => kill(server?.pid ?? 0, 0)).toThrow('ESRCH')
  await using second = await open()
  expect(second.installationId).toBe(first.installationId)
})

test('a second gateway on the same data directory is refused, and the first one keeps its database', async () => {
  await using first = await open()
  await expect(open()).rejects.toMatchObject({ message: 'another gateway is using this store' })
  expect((await sql`SELECT 1 AS one`.execute(first.db)).rows).toEqual([{ one: 1 }])
})
