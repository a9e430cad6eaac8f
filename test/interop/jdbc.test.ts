import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { startTestGateway } from '../harness/gateway.ts'
import { installed, runProgram } from '../harness/programs.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const DRIVER = '/usr/share/java/postgresql.jar'
/** The compiler too: the client is started from its source (JEP 330). */
const JAVA = installed('javac') === undefined ? undefined : installed('java')
const missing = JAVA === undefined || !existsSync(DRIVER)

test.skipIf(missing)('JDBC (skipped without libpostgresql-jdbc-java and a JDK)', async () => {
  await using world = await startTestGateway()
  const env = await world.access.libpq('ana', { groups: ['readers', 'writers', 'callers'] })
  const source = join(import.meta.dirname, 'JdbcClient.java')
  const args = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Duser.timezone=UTC', '-cp', DRIVER, source]
  const { code, stdout, stderr } = await runProgram(JAVA ?? '', args, { env })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const seen = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s)),
  )
  expect(seen).toMatchObject({
    product: 'PostgreSQL',
    tables: '[customers, kinds, notes, secrets, cities]',
    columns: '[id:int4, name:text, email:text, city:text]',
    key: 'id',
    index: 'customers_pkey',
    schemas: 'true',
    types: 'true',
    alike: 'true',
    values:
      'true,-7,9007199254740993,1234.50,0.1,2026-01-02T03:04:05Z,3,{"a": [1, null]},3,00112233-4455-6677-8899-aabbccddeeff',
    fetched: '1000',
    batch: '200',
    keyed: 'true',
    copied: '2',
    denied: '42501',
    after: 'true',
    cancelled: '57014',
  })
})
