import { afterAll, beforeAll, expect, test } from 'vitest'
import { PostgresRoleIssuer } from './credentials.ts'
import { type IssuerTarget, startIssuerTarget } from './issuer-target.fixture.ts'

const signal = AbortSignal.timeout(60_000)
let server: IssuerTarget
let issuer: PostgresRoleIssuer

beforeAll(async () => {
  server = await startIssuerTarget()
  issuer = new PostgresRoleIssuer(server.target)
})
afterAll(async () => {
  await issuer[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

test('reads schemas, relations, columns and the sequences that an INSERT draws from', async () => {
  const catalog = await issuer.catalog(signal)
  expect(catalog.schemas).toEqual(['public'])
  expect(catalog.relations).toEqual([
    {
      schema: 'public',
      name: 'customers',
      kind: 'table',
      columns: [
        { name: 'id', type: 'integer', nullable: false },
        { name: 'email', type: 'text', nullable: false },
      ],
      sequences: [{ schema: 'public', name: 'customers_id_seq' }],
    },
    {
      schema: 'public',
      name: 'emails',
      kind: 'view',
      columns: [{ name: 'email', type: 'text', nullable: true }],
      sequences: [],
    },
    {
      schema: 'public',
      name: 'orders',
      kind: 'table',
      columns: [
        { name: 'id', type: 'integer', nullable: false },
        { name: 'note', type: 'character varying(20)', nullable: true },
      ],
      sequences: [{ schema: 'public', name: 'orders_id_seq' }],
    },
    { schema: 'public', name: 'secrets', kind: 'table', columns: expect.any(Array), sequences: [] },
  ])
})

test('the version stays while nothing changes, and differs after any change', async () => {
  const versions = [(await issuer.catalog(signal)).version]
  expect((await issuer.catalog(signal)).version).toBe(versions[0])
  for (const change of [
    'CREATE SCHEMA sales',
    'CREATE TABLE sales.t (i int) PARTITION BY RANGE (i)',
    'ALTER TABLE sales.t ADD COLUMN j date',
    'ALTER TABLE sales.t ALTER COLUMN j SET NOT NULL',
    'DROP TABLE sales.t; CREATE TABLE sales.t (i int, j date NOT NULL) PARTITION BY RANGE (i)',
    'CREATE MATERIALIZED VIEW sales.m AS SELECT 1 AS one',
    'CREATE SEQUENCE sales.s; ALTER TABLE sales.t ALTER COLUMN i SET DEFAULT nextval($$sales.s$$)',
    'DROP SCHEMA sales CASCADE',
  ]) {
    await server.admin.query(change)
    versions.push((await issuer.catalog(signal)).version)
  }
  // The last change leads back to where it began.
  expect(versions.pop()).toBe(versions[0])
  expect(new Set(versions).size).toBe(versions.length)
})

test('temporary tables and system schemas are not in it', async () => {
  await server.admin.query('CREATE TEMP TABLE mine (i int)')
  const catalog = await issuer.catalog(signal)
  expect(catalog.relations.map(({ name }) => name)).not.toContain('mine')
  expect(catalog.schemas.filter((schema) => /^pg_|^information_schema$/.test(schema))).toEqual([])
})
