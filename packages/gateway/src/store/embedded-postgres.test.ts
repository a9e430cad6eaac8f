import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clusterPlace } from './cluster-place.ts'
import type { EmbeddedPostgres } from './embedded-postgres.ts'
import { startEmbedded } from './embedded-postgres.ts'
import { isRoot, unprivilegedUser } from './run-as.ts'

const log = { info: () => undefined, warn: () => undefined }
let dir: string
let started: EmbeddedPostgres[]

beforeEach(async () => {
  dir = join(await mkdtemp(join(await realpath(tmpdir()), 'sallyport-embedded-')), 'postgres')
  started = []
  await mkdir(dir, { recursive: true })
  await chmod(join(dir, '..'), 0o711)
})
afterEach(async () => {
  for (const server of started) await server.stop()
  await rm(join(dir, '..'), { recursive: true, force: true })
})

async function start(): Promise<EmbeddedPostgres> {
  const server = await startEmbedded({ dir, log })
  started.push(server)
  return server
}

async function ask(server: EmbeddedPostgres, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: server.url.reveal() })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

test('what was stored is there on the next start, on the same port', async () => {
  const first = await start()
  await ask(first, 'CREATE TABLE kept AS SELECT 42 AS answer')
  await first.stop()
  const second = await start()
  expect(second.port).toBe(first.port)
  expect(second.adopted).toBe(false)
  expect(await ask(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
})

test('it listens on loopback only, has no Unix socket, and asks for a SCRAM password', async () => {
  const server = await start()
  expect(
    await ask(
      server,
      `SELECT current_setting('listen_addresses') AS tcp, current_setting('unix_socket_directories') AS unix,
              (SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules) AS auth,
              (SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = current_user) AS scram`,
    ),
  ).toEqual([{ tcp: '127.0.0.1', unix: '', auth: 'scram-sha-256', scram: true }])
  expect((await stat(join(dir, 'superuser-password'))).mode & 0o777).toBe(0o600)
  const wrong = new Client({
    port: server.port,
    host: server.host,
    user: server.user,
    password: 'wrong',
    database: 'postgres',
  })
  await expect(wrong.connect()).rejects.toThrow('password authentication failed')
})

test('a server that a killed gateway left running is adopted, and can be stopped', async () => {
  const gateway = fork(new URL('./embedded-postgres.fixture.ts', import.meta.url), [dir], { execArgv: [] })
  const [pid]: unknown[] = await once(gateway, 'message')
  gateway.kill('SIGKILL')
  await once(gateway, 'exit')
  const server = await start()
  expect(server).toMatchObject({ pid, adopted: true })
  expect(await ask(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await server.stop()
  expect((await start()).adopted).toBe(false)
})

test('a process id file that a crashed machine left does not hinder the start', async () => {
  const first = await start()
  const place = await clusterPlace(dir)
  const pidFile = join(place.data, 'postmaster.pid')
  const text = await readFile(pidFile, 'utf8')
  await first.stop()
  // This process is alive, and no postmaster.
  await writeFile(pidFile, text.replace(/^\d+/, String(process.pid)))
  expect((await start()).adopted).toBe(false)
})

test('without its password file the cluster is not opened, and the message says which file', async () => {
  await (await start()).stop()
  await rm(join(dir, 'superuser-password'))
  await expect(start()).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('superuser-password'),
  })
})

test('a start that fails shows what the server said', async () => {
  await (await start()).stop()
  await expect(startEmbedded({ dir, log, settings: { shared_buffers: 'plenty' } })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('invalid value for parameter "shared_buffers"'),
  })
})

test('stopping leaves no half-made files', async () => {
  await (await start()).stop()
  const { parent } = await clusterPlace(dir)
  expect(await readdir(parent)).toEqual(['data'])
})

test.runIf(isRoot())(
  'below a directory that only root can enter, the cluster is put elsewhere and noted',
  async () => {
    const closed = join(dir, 'closed')
    const elsewhere = join(dir, 'elsewhere')
    await mkdir(join(closed, 'postgres'), { recursive: true, mode: 0o700 })
    const place = await clusterPlace(join(closed, 'postgres'), elsewhere)
    expect(place.data.startsWith(`${elsewhere}/`)).toBe(true)
    expect(place.as).toEqual(unprivilegedUser())
    expect(await readdir(join(closed, 'postgres'))).toEqual(['where-the-cluster-is.txt'])
    await mkdir(place.data)
    const again = await clusterPlace(join(closed, 'postgres'), '/nowhere')
    expect(again).toMatchObject({ data: place.data, exists: true })
  },
)
