import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { capabilityOf } from '../../packages/gateway/src/access/capability.ts'
import type { Target } from '../../packages/gateway/src/access/model.ts'
import { Secret } from '../../packages/gateway/src/access/secret.ts'
import type { Credential } from '../../packages/gateway/src/protocols/contract.ts'
import { PostgresRoleIssuer } from '../../packages/gateway/src/protocols/postgres/credentials.ts'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 })

const CORPUS = new URL('../../../shared/corpus/', import.meta.url)
const GUARD = new URL('guard_evasion.json', CORPUS)
const REGRESS = new URL('pg_regress/', CORPUS)

const TABLES = ['customers', 'orders', 'employees', 'kept_customers'] as const

const SCHEMA = `
CREATE TABLE customers (id int PRIMARY KEY, name text, email text UNIQUE, ssn text UNIQUE, notes text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, total numeric, status text);
CREATE TABLE employees (id int PRIMARY KEY, name text, ssn text, salary numeric);
INSERT INTO customers VALUES (1, 'Ana', 'ana@example.com', '123-45-6789', 'x'), (2, 'Ben', 'ben@example.org', '321-54-9876', 'y');
INSERT INTO orders VALUES (1, 1, 10.5, 'new'), (2, 1, 20, 'paid'), (3, 2, 30, 'new');
INSERT INTO employees VALUES (1, 'Eva', '111-22-3333', 185000), (2, 'Finn', '222-33-4444', 97000);
CREATE MATERIALIZED VIEW mv_customers AS SELECT id, ssn FROM customers;
CREATE TABLE kept_customers AS SELECT * FROM customers;
CREATE FUNCTION noisy_del() RETURNS int LANGUAGE sql AS $$ DELETE FROM orders; SELECT 1 $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO sallyport_issuer WITH GRANT OPTION`

/** May be connected, and read; nothing else. */
const READ_ONLY = `
@id("connect") permit (principal, action == Action::"connect", resource);
@id("read") permit (principal, action in Action::"read", resource);`

/** Everything that a statement could have changed and that would outlive its session. */
const STATE = `
SELECT jsonb_build_object(
  'rows', (SELECT jsonb_object_agg(t, query_to_xml(format('SELECT * FROM %I ORDER BY 1', t), true, true, '')::text)
           FROM unnest($1::text[]) t),
  'tuples', (SELECT jsonb_object_agg(relname, ARRAY[n_tup_ins, n_tup_upd, n_tup_del]) FROM pg_stat_user_tables
             WHERE schemaname = 'public'),
  'relations', (SELECT jsonb_agg(format('%s %s %s', c.oid, c.relname, (
      SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(c.relacl) a WHERE a::text !~ '^sp_')) ORDER BY c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
  'columns', (SELECT md5(string_agg(attrelid || attname || atttypid, ',' ORDER BY attrelid, attnum)) FROM pg_attribute
              WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)),
  'functions', (SELECT count(*) FROM pg_proc WHERE pronamespace::regnamespace::text !~ '^pg_temp'),
  'schemas', (SELECT jsonb_agg(nspname ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'),
  'roles', (SELECT jsonb_agg(rolname || rolsuper || rolcreaterole ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^sp_'),
  'settings', (SELECT jsonb_agg(s::text) FROM pg_db_role_setting s),
  'extensions', (SELECT count(*) FROM pg_extension),
  'triggers', (SELECT count(*) FROM pg_trigger),
  'rules', (SELECT count(*) FROM pg_rewrite),
  'policies', (SELECT count(*) FROM pg_policy),
  'prepared', (SELECT count(*) FROM pg_prepared_xacts),
  'servers', (SELECT count(*) FROM pg_foreign_server)
) AS state`

interface Case {
  readonly id: string
  readonly dialect: string
  readonly sql: string
  readonly setup?: readonly string[]
  readonly expected: {
    readonly actions: readonly string[]
    readonly risk: string
    readonly tables_written: readonly string[]
  }
}

function cases(): readonly Case[] {
  const corpus = JSON.parse(readFileSync(GUARD, 'utf8')) as { readonly cases: readonly Case[] }
  return corpus.cases.filter(({ dialect }) => dialect === 'postgresql')
}

describe.skipIf(!existsSync(GUARD))('statements that hide what they do (skipped without the corpora)', () => {
  let world: TestGateway
  let admin: Client
  let issuer: PostgresRoleIssuer
  let credential: Credential
  beforeAll(async () => {
    world = await startTestGateway({
      policies: READ_ONLY,
      prepare: async (_, target) => {
        const other = await target.client('other')
        await other.query(SCHEMA)
        // What it has written is counted when it ends, and not later.
        await other.end()
      },
    })
    admin = await world.target.client('other')
    issuer = new PostgresRoleIssuer(targetOf(world))
    const grants = TABLES.map((table) => ({ verb: 'select', schema: 'public', table }) as const)
    const expires = new Date(Date.now() + 3_600_000)
    const plan = issuer.plan('0'.repeat(8), 'lea_corpus', capabilityOf(grants), expires)
    credential = await issuer.issue(plan, AbortSignal.timeout(60_000))
  })
  afterAll(async () => {
    await issuer[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })

  async function state(): Promise<unknown> {
    await admin.query('SELECT pg_stat_force_next_flush()')
    const { rows } = await admin.query<{ state: unknown }>(STATE, [TABLES])
    expect(rows).toHaveLength(1)
    return rows[0]?.state
  }

  /** A session with the role that a reader's session has, and no gateway in between. */
  async function direct(): Promise<Client> {
    const { host, port } = world.target
    const client = new Client({
      host,
      port,
      database: 'other',
      user: credential.username,
      password: credential.secret.reveal(),
    })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }

  test('are denied to somebody who may only read, or change nothing', async () => {
    const before = await state()
    const wrong: string[] = []
    const counts = { denied: 0, refused: 0, ran: 0 }
    for (const { id, sql, setup, expected } of cases()) {
      const client = await world.access.connect('reader', { target: 'other' })
      for (const text of setup ?? []) await client.query(text).catch(() => undefined)
      const outcome = await outcomeOf(client, sql)
      await client.end()
      counts[outcome]++
      const { risk } = expected
      if ((risk === 'high' || risk === 'critical') && outcome !== 'denied')
        wrong.push(`${id} (${risk}) ${outcome}: ${sql}`)
      if (risk === 'low' && outcome === 'denied') wrong.push(`${id} (${risk}) ${outcome}: ${sql}`)
    }
    console.log(`through the gateway: ${JSON.stringify(counts)}`)
    expect(wrong).toEqual([])
    expect(await state()).toEqual(before)
  })

  test('change nothing where nobody reads them: the role has not the privileges', async () => {
    const before = await state()
    let refused = 0
    for (const { sql, setup } of cases()) {
      for (const readOnly of ['on', 'off']) {
        const client = await direct()
        await client.query(`SET default_transaction_read_only = ${readOnly}`)
        for (const text of setup ?? []) await client.query(text).catch(() => undefined)
        if ((await outcomeOf(client, sql)) === 'refused') refused++
        await client.end()
      }
    }
    console.log(`without the gateway: ${refused} of ${2 * cases().length} refused by the target`)
    expect(await state()).toEqual(before)
  })

  test.skipIf(!existsSync(REGRESS))("of PostgreSQL's own tests change nothing either", async () => {
    const before = await state()
    let client = await direct()
    await client.query("SET default_transaction_read_only = off; SET statement_timeout = '1s'")
    const counts = { refused: 0, ran: 0 }
    for (const name of readdirSync(REGRESS).filter((file) => file.endsWith('.sql'))) {
      const text = readFileSync(new URL(name, REGRESS), 'utf8').replaceAll(/^\\.*$/gm, '')
      for (const piece of text.split(/;[ \t]*(?:--.*)?\n/)) {
        // The client would wait for the end of a COPY from it.
        if (piece.trim() === '' || /\bfrom\s+stdin\b/i.test(piece)) continue
        const outcome = await outcomeOf(client, piece)
        counts[outcome === 'ran' ? 'ran' : 'refused']++
        if (!(await isAlive(client))) {
          client = await direct()
          await client.query("SET default_transaction_read_only = off; SET statement_timeout = '1s'")
        }
      }
    }
    await client.end()
    console.log(`pg_regress without the gateway: ${JSON.stringify(counts)}`)
    expect(counts.refused).toBeGreaterThan(10_000)
    expect(await state()).toEqual(before)
  })
})

async function outcomeOf(client: Client, sql: string): Promise<'denied' | 'refused' | 'ran'> {
  try {
    await client.query(sql)
    return 'ran'
  } catch (error) {
    return (error as Error).message.startsWith('denied by policy') ? 'denied' : 'refused'
  }
}

async function isAlive(client: Client): Promise<boolean> {
  return await client.query('SELECT 1').then(
    () => true,
    (error: Error) => !/terminated|not queryable|ended/i.test(error.message),
  )
}

function targetOf({ target, env }: TestGateway): Target {
  return {
    name: 'other',
    protocol: 'postgres',
    address: { host: target.host, port: target.port },
    database: 'other',
    tls: { mode: 'disable' },
    tags: {},
    credentials: {
      issuer: 'postgres-role',
      username: 'sallyport_issuer',
      password: new Secret(env['TEST_ISSUER_PASSWORD'] ?? ''),
      ttlSeconds: 3600,
      prewarm: 0,
    },
    recording: 'written',
  }
}
