import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { installedPostgres } from '../harness/postgres.ts'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { installed, runProgram } from '../harness/programs.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const PSQL = installed('psql')

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway()
})
afterAll(() => world[Symbol.asyncDispose]())

describe.skipIf(PSQL === undefined)("psql's commands, for somebody who may only read", () => {
  test.each(
    `\\d \\d+ \\dS \\d|customers \\d+|customers \\d+|cities \\d|notes_id_seq \\d|customers_pkey \\dt \\dt+ \\dtS \\dv \\dv+ \\dm
    \\di \\di+ \\ds \\ds+ \\dE \\dn \\dn+ \\dnS \\du \\du+ \\dg \\df \\df+ \\dfS \\df|pg_catalog.abs \\da \\daS \\do \\doS \\dT \\dT+ \\dTS
    \\dD \\dD+ \\dC \\dC+ \\dc \\dO \\dOS \\dp \\z \\ddp \\dd \\dl \\db \\db+ \\dL \\dL+ \\dx \\dx+ \\dX \\dF \\dF+ \\dFd \\dFp \\dFt \\dy \\dew \\des \\det
    \\deu \\dRp \\dRs \\dP \\dP+ \\dAc \\dAf \\dAo \\dAp \\drds \\dconfig \\dconfig|* \\l \\l+ \\sf|pg_catalog.abs(integer) \\sv|cities
    \\conninfo \\encoding \\lo_list \\d|no_such_table \\d|*.*`
      .split(/\s+/)
      .map((command) => command.replace('|', ' ')),
  )('%s', async (command) => {
    const env = await world.access.libpq('ana', { groups: ['readers'] })
    const { stderr } = await runProgram(PSQL ?? '', ['-X', '-q', '-A', '-t'], { env, input: `${command}\n` })
    expect(stderr).not.toContain('denied by policy')
  })
})

const OLDER = installedPostgres()

describe.skipIf(OLDER === undefined)('pg_dump (skipped where no PostgreSQL server is installed)', () => {
  let older: TestGateway
  beforeAll(async () => {
    older = await startTestGateway({ postgres: OLDER && { binaries: OLDER.binaries } })
  })
  afterAll(() => older[Symbol.asyncDispose]())

  test.each([
    ['the structure', ['--schema-only', '--exclude-table=secrets']],
    ['structure and rows', ['--table=customers', '--table=cities']],
    ['rows as INSERTs', ['--data-only', '--inserts', '--table=kinds']],
  ])('writes %s', async (_, args) => {
    const env = await older.access.libpq('ana', { groups: ['readers'] })
    const { code, stdout, stderr } = await runProgram(OLDER?.pgDump ?? '', args, { env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('PostgreSQL database dump complete')
  })
})

const DRIVER = '/usr/share/java/postgresql.jar'
const JAVA = installed('javac') === undefined ? undefined : installed('java')

test.skipIf(JAVA === undefined || !existsSync(DRIVER))(
  'JDBC tells everything of the database to somebody who may only read (skipped without libpostgresql-jdbc-java and a JDK)',
  async () => {
    const env = await world.access.libpq('ana', { groups: ['readers'] })
    const source = join(import.meta.dirname, 'JdbcMetadata.java')
    const args = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', DRIVER, source]
    const { stdout, stderr } = await runProgram(JAVA ?? '', args, { env })
    expect({ stdout, stderr }).toEqual({ stdout: 'asked\n', stderr: '' })
  },
)

/** What drivers, ORMs and dashboards ask when they connect and look around, in the ways in which they write it. */
const QUESTIONS: readonly (readonly [string, string])[] = [
  [
    'who and where',
    'SELECT version(), current_user, session_user, current_database(), current_schema(), current_schemas(true)',
  ],
  [
    'settings',
    'SHOW transaction_isolation; SHOW standard_conforming_strings; SHOW server_version_num; SHOW ALL',
  ],
  ['settings by query', "SELECT name, setting FROM pg_settings WHERE name IN ('TimeZone', 'server_version')"],
  [
    'a setting by function',
    "SELECT current_setting('server_version_num')::int, pg_catalog.current_setting('no.such', true)",
  ],
  ['a health check', 'SELECT 1; SELECT 1 AS "one"; ; -- ping'],
  [
    'session settings',
    "SET application_name = 'app'; SET client_encoding TO 'UTF8'; SET TIME ZONE 'UTC'; SET DateStyle = ISO; SET extra_float_digits = 3; SET standard_conforming_strings = on; SET client_min_messages TO warning; SET statement_timeout = 30000; SET bytea_output = hex; SET intervalstyle = iso_8601",
  ],
  [
    'session characteristics',
    'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
  ],
  ['what asyncpg asks first', "SELECT current_setting('jit') AS cur, set_config('jit', 'off', false) AS new"],
  ['the search path', 'SET search_path TO public; SET search_path = "$user", public; RESET search_path'],
  [
    'a transaction',
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SAVEPOINT a; RELEASE SAVEPOINT a; ROLLBACK',
  ],
  ['what poolers send', 'DISCARD ALL'],
  [
    'what poolers send in part',
    'UNLISTEN *; CLOSE ALL; DEALLOCATE ALL; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD PLANS; DISCARD SEQUENCES',
  ],
  [
    'tables',
    "SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2",
  ],
  [
    'columns',
    "SELECT column_name, data_type, is_nullable, column_default, character_maximum_length, numeric_precision, udt_name::regtype::text FROM information_schema.columns WHERE table_name = 'customers' ORDER BY ordinal_position",
  ],
  [
    'columns by catalog',
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, col_description(a.attrelid, a.attnum), a.attidentity, a.attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = 'customers'::regclass AND a.attnum > 0 AND NOT a.attisdropped",
  ],
  [
    'keys',
    "SELECT conname, pg_get_constraintdef(oid, true), conrelid::regclass, confrelid::regclass, conkey, confkey FROM pg_catalog.pg_constraint WHERE contype IN ('p', 'u', 'f', 'c') AND conrelid <> 0",
  ],
  [
    'keys of the standard',
    'SELECT k.column_name, c.constraint_name FROM information_schema.table_constraints c JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name) LEFT JOIN information_schema.referential_constraints r USING (constraint_schema, constraint_name) LEFT JOIN information_schema.constraint_column_usage u USING (constraint_schema, constraint_name)',
  ],
  [
    'indexes',
    'SELECT i.relname, ix.indisunique, ix.indisprimary, pg_get_indexdef(ix.indexrelid), am.amname, array_agg(pg_get_indexdef(ix.indexrelid, k + 1, true)) FROM pg_index ix JOIN pg_class i ON i.oid = ix.indexrelid JOIN pg_am am ON am.oid = i.relam, generate_subscripts(ix.indkey, 1) k GROUP BY 1, 2, 3, 4, 5',
  ],
  [
    'indexes with their options',
    "SELECT indexname, unnest(string_to_array(indexdef, ' ')) FROM pg_indexes WHERE schemaname = ANY (current_schemas(false))",
  ],
  [
    'types',
    "SELECT t.oid, t.typname, t.typtype, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typbasetype FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid WHERE t.typname IN ('int4', 'json') OR t.typtype IN ('r', 'e', 'd') OR t.typelem IN (SELECT oid FROM pg_type)",
  ],
  [
    'enums',
    'SELECT n.nspname, t.typname, array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE pg_type_is_visible(t.oid) GROUP BY 1, 2',
  ],
  [
    'whether a relation is there',
    "SELECT to_regclass('public.customers') IS NOT NULL, EXISTS (SELECT FROM pg_class WHERE relname = 'customers' AND relkind = ANY (ARRAY['r', 'p', 'v', 'm', 'f']) AND pg_table_is_visible(oid))",
  ],
  [
    'views',
    "SELECT viewname, definition, pg_get_viewdef(c.oid, true) FROM pg_views v JOIN pg_class c ON c.relname = v.viewname WHERE schemaname = 'public'",
  ],
  [
    'sequences',
    "SELECT sequence_name, pg_get_serial_sequence('public.notes', 'id') FROM information_schema.sequences",
  ],
  [
    'comments',
    "SELECT obj_description('customers'::regclass, 'pg_class'), shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()",
  ],
  [
    'privileges',
    "SELECT has_table_privilege('customers', 'select'), has_schema_privilege('public', 'USAGE'), has_any_column_privilege('customers', 'SELECT'), pg_has_role('pg_read_all_data', 'MEMBER') FROM information_schema.role_table_grants LIMIT 1",
  ],
  [
    'sizes',
    "SELECT relname, reltuples::bigint, pg_size_pretty(pg_total_relation_size(oid)), pg_relation_size(oid), pg_stat_get_numscans(oid) FROM pg_class WHERE relkind = 'r' LIMIT 5",
  ],
  [
    'statistics',
    'SELECT relname, n_live_tup FROM pg_stat_user_tables; SELECT count(*) FROM pg_stat_activity; SELECT pg_is_in_recovery()',
  ],
  [
    'functions',
    'SELECT p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid), l.lanname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE pg_function_is_visible(p.oid) LIMIT 5',
  ],
  [
    'extensions, collations, roles',
    'SELECT extname FROM pg_extension; SELECT collname FROM pg_collation LIMIT 1; SELECT rolname FROM pg_roles LIMIT 1',
  ],
  [
    'relations below others',
    "SELECT inhparent::regclass, inhrelid::regclass, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid; SELECT pg_get_partkeydef(oid) FROM pg_class WHERE relkind = 'p'",
  ],
  [
    'a recursive look at types',
    'WITH RECURSIVE t (oid, typelem) AS (SELECT oid, typelem FROM pg_type WHERE oid = 1007 UNION SELECT p.oid, p.typelem FROM pg_type p JOIN t ON p.oid = t.typelem) SELECT * FROM t',
  ],
  [
    'a preview',
    "SELECT * FROM (SELECT id, name, date_trunc('month', now()) AS month FROM public.customers) AS source LIMIT 2000",
  ],
  [
    'a chart',
    "SELECT city, count(*) AS n, avg(id), percentile_cont(0.5) WITHIN GROUP (ORDER BY id), string_agg(name, ', ' ORDER BY name) FILTER (WHERE id < 5) FROM customers GROUP BY ROLLUP (city) ORDER BY n DESC NULLS LAST",
  ],
  [
    'a page',
    "SELECT c.*, row_number() OVER (PARTITION BY city ORDER BY id), coalesce(city, '') || ' ' || upper(name) FROM customers c WHERE name ILIKE '%1%' OR id BETWEEN 1 AND 5 ORDER BY id LIMIT 10 OFFSET 20",
  ],
  [
    'rows as JSON',
    "SELECT json_agg(row_to_json(t)), jsonb_build_object('n', count(*)), to_jsonb(array_agg(id)) FROM (SELECT id, name FROM customers LIMIT 3) t",
  ],
  [
    'a plan',
    'EXPLAIN (FORMAT JSON) SELECT * FROM customers WHERE id = 1; EXPLAIN ANALYZE SELECT count(*) FROM customers',
  ],
  [
    'a cursor',
    'BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT id FROM customers; FETCH FORWARD 100 FROM c; MOVE 10 FROM c; CLOSE c; COMMIT',
  ],
  [
    'a prepared statement',
    'PREPARE p (int) AS SELECT name FROM customers WHERE id = $1; EXECUTE p (1); DEALLOCATE p',
  ],
]

test.each(QUESTIONS)('%s can be asked by somebody who may only read', async (_, sql) => {
  const client = await world.access.connect('ana', { groups: ['readers'] })
  await expect(client.query(sql)).resolves.toBeDefined()
  await client.end()
})
