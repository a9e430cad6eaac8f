import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Routine } from '../../access/catalog.ts'
import { catalogOf, tableOf } from '../../access/catalog.fixture.ts'
import type { SearchPath } from './search-path.ts'
import { CatalogIndex, Names } from './names.ts'
import { readSql } from './read.fixture.ts'
import { readStatement as readTree } from './read-statement.ts'
import type { SqlReading } from './reading.ts'

beforeAll(() => loadModule())

function read(sql: string): SqlReading {
  return readSql(sql)
}

function readStatement(tree: unknown): SqlReading {
  return readTree(tree, new Names(new CatalogIndex(catalogOf([]), parseSync), [['public']]))
}

/** `select orders`, `create public.`, `call *`, `listen *`; sorted. What is in public is written without it. */
function operations(sql: string): string {
  const reading = read(sql)
  if (reading.opaqueBecause !== undefined) return 'opaque'
  return reading.operations
    .filter(({ action }) => action !== 'connect')
    .map(({ action, resource }) => {
      if (resource.type === 'Table') {
        return `${action} ${resource.schema === 'public' ? '' : `${resource.schema}.`}${resource.table}`
      }
      return `${action} ${resource.type === 'Schema' ? `${resource.schema}.` : '*'}`
    })
    .toSorted()
    .join(', ')
}

describe('what a statement does', () => {
  it.each([
    // Queries
    ['SELECT 1', ''],
    ['SELECT * FROM customers', 'select customers'],
    ['TABLE customers', 'select customers'],
    ['VALUES (1), ((SELECT max(id) FROM orders))', 'select orders'],
    [
      'SELECT * FROM public.customers c JOIN sales.orders o ON o.c = c.id',
      'select customers, select sales.orders',
    ],
    [
      'SELECT (SELECT 1 FROM a) FROM b WHERE EXISTS (TABLE c) ORDER BY (SELECT 1 FROM d)',
      'select a, select b, select c, select d',
    ],
    [
      'SELECT 1 FROM a GROUP BY ROLLUP (x, (SELECT y FROM b)) HAVING (SELECT true FROM c)',
      'select a, select b, select c',
    ],
    [
      'SELECT count(*) FILTER (WHERE (SELECT true FROM a)) OVER (ORDER BY (SELECT 1 FROM b)) FROM c',
      'select a, select b, select c',
    ],
    ['SELECT 1 LIMIT (SELECT n FROM a) OFFSET (SELECT n FROM b)', 'select a, select b'],
    ['SELECT x FROM a UNION ALL (SELECT x FROM b EXCEPT SELECT x FROM c)', 'select a, select b, select c'],
    [
      'SELECT CASE WHEN x THEN (SELECT 1 FROM a) END, ARRAY(SELECT 1 FROM b), x[(SELECT 1 FROM c)] FROM d',
      'select a, select b, select c, select d',
    ],
    ['SELECT * FROM a TABLESAMPLE system ((SELECT p FROM b))', 'select a, select b'],
    ['SELECT * FROM ROWS FROM (generate_series(1, (SELECT n FROM a))) WITH ORDINALITY', 'select a'],
    [
      "SELECT * FROM xmltable('/a' PASSING (SELECT x FROM a) COLUMNS c int PATH 'c' DEFAULT (SELECT 1 FROM b))",
      'select a, select b',
    ],
    [
      "SELECT * FROM json_table((SELECT j FROM a), '$' PASSING (SELECT 1 FROM b) AS v COLUMNS (c int PATH '$' DEFAULT f() ON EMPTY))",
      'call *, select a, select b',
    ],
    [
      "SELECT json_object('k' VALUE (SELECT 1 FROM a)), json_arrayagg(x ORDER BY (SELECT 1 FROM b)) FROM c",
      'select a, select b, select c',
    ],
    [
      "SELECT xmlelement(name e, xmlattributes((SELECT 1 FROM a) AS x)), JSON_VALUE((SELECT j FROM b), '$')",
      'select a, select b',
    ],
    ['SELECT * FROM LATERAL (SELECT * FROM a) x, LATERAL f(x.id)', 'call *, select a'],
    ['SELECT * INTO copy FROM customers', 'create copy, select customers'],
    ['SELECT * INTO TEMP copy FROM customers', 'create pg_temp.copy, select customers'],
    ['SELECT * FROM customers FOR UPDATE', 'lock customers, select customers'],
    ['SELECT * FROM a, b FOR NO KEY UPDATE OF b', 'lock b, select a, select b'],
    ['SELECT * FROM (SELECT * FROM a AS x) s, b FOR SHARE OF s', 'lock a, select a, select b'],
    ['WITH a AS (SELECT 1) SELECT * FROM a, b FOR UPDATE', 'lock b, select b'],
    // WITH
    ['WITH t AS (SELECT * FROM a) SELECT * FROM t', 'select a'],
    ['WITH t AS (SELECT * FROM t) SELECT * FROM t', 'select t'],
    ['WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM a, b', 'select b'],
    ['WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a', ''],
    ['WITH t AS (SELECT 1) SELECT * FROM public.t', 'select t'],
    ['SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) x, t', 'select t'],
    ['WITH x AS (UPDATE employees SET salary = 1 RETURNING 1) SELECT 1', 'update employees'],
    ['WITH t AS (WITH u AS (DELETE FROM orders RETURNING 1) SELECT 1) SELECT * FROM t', 'delete orders'],
    ['WITH t AS (SELECT 1) INSERT INTO t SELECT * FROM t', 'insert t'],
    ['WITH t AS (SELECT 1) DELETE FROM t', 'delete t'],
    // Changes
    ['INSERT INTO a VALUES (1)', 'insert a'],
    ['INSERT INTO a DEFAULT VALUES RETURNING id', 'insert a, select a'],
    ['INSERT INTO a SELECT * FROM b', 'insert a, select b'],
    ['INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING', 'insert a'],
    ['INSERT INTO a VALUES (1) ON CONFLICT (id) DO NOTHING', 'insert a, select a'],
    ['INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1', 'insert a, select a, update a'],
    ['UPDATE a SET x = 1', 'update a'],
    ['UPDATE a SET x = x + 1', 'select a, update a'],
    ['UPDATE a SET x = b.x FROM b WHERE b.id = a.id', 'select a, select b, update a'],
    ['UPDATE a SET (x, y) = (SELECT x, y FROM b)', 'select a, select b, update a'],
    ['DELETE FROM a', 'delete a'],
    ['DELETE FROM a USING b WHERE a.id = b.id', 'delete a, select a, select b'],
    ['DELETE FROM a RETURNING *', 'delete a, select a'],
    [
      'MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)',
      'delete a, insert a, merge a, select a, select b',
    ],
    ['MERGE INTO a USING (SELECT f()) b ON true WHEN MATCHED THEN DO NOTHING', 'call *, merge a, select a'],
    ['TRUNCATE a, s.b', 'truncate a, truncate s.b'],
    // COPY
    ['COPY a TO STDOUT', 'copyOut a, select a'],
    ['COPY a FROM STDIN', 'copyIn a, insert a'],
    ['COPY (SELECT * FROM a JOIN b USING (id)) TO STDOUT', 'copyOut a, copyOut b, select a, select b'],
    ['COPY (SELECT 1) TO STDOUT', 'copyOut *'],
    ['COPY (DELETE FROM a RETURNING *) TO STDOUT', 'copyOut a, delete a, select a'],
    ["COPY a TO '/tmp/x'", 'opaque'],
    ["COPY a FROM PROGRAM 'id'", 'opaque'],
    // Statements around statements
    ['EXPLAIN DELETE FROM a', 'select a'],
    ['EXPLAIN (ANALYZE false) UPDATE a SET x = 1', 'select a'],
    ["EXPLAIN (ANALYZE 'off', VERBOSE) INSERT INTO a VALUES (1)", 'select a'],
    ['EXPLAIN (ANALYZE) DELETE FROM a', 'delete a'],
    ['EXPLAIN (ANALYZE 1) DELETE FROM a', 'delete a'],
    ['EXPLAIN (ANALYZE off, ANALYZE on) DELETE FROM a', 'delete a'],
    ['EXPLAIN SELECT f() FROM a FOR UPDATE', 'call *, select a'],
    ['EXPLAIN CREATE TABLE b AS SELECT * FROM a', 'select a'],
    ['EXPLAIN ANALYZE CREATE TABLE b AS SELECT * FROM a', 'create b, select a'],
    ['EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM a', 'select a'],
    ['PREPARE p AS DELETE FROM a', 'delete a'],
    ['DECLARE c CURSOR WITH HOLD FOR SELECT * FROM a', 'select a'],
    ['CREATE TABLE x AS SELECT * FROM a', 'create x, select a'],
    ['CREATE MATERIALIZED VIEW s.v AS SELECT * FROM a', 'create s.v, select a'],
    ['FETCH 10 FROM c', ''],
    ['CLOSE ALL', ''],
    ['DEALLOCATE ALL', ''],
    ['DISCARD ALL', ''],
    // Transactions
    ['BEGIN', ''],
    ['START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE', ''],
    ['COMMIT AND CHAIN', ''],
    ['ROLLBACK TO SAVEPOINT s', ''],
    ['SET CONSTRAINTS ALL DEFERRED', ''],
    ['BEGIN READ WRITE', 'opaque'],
    ['SET TRANSACTION READ WRITE', 'opaque'],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE', 'opaque'],
    ["SET TRANSACTION SNAPSHOT 'x'", 'opaque'],
    ["PREPARE TRANSACTION 'x'", 'opaque'],
    ["COMMIT PREPARED 'x'", 'opaque'],
    // Settings
    ["SET application_name = 'x'", ''],
    ['SET statement_timeout = 0', ''],
    ["SET TIME ZONE 'UTC'", ''],
    ["SET NAMES 'utf8'", ''],
    ["SET client_encoding = 'LATIN1'", 'opaque'],
    ['SET standard_conforming_strings = on', ''],
    ['SET standard_conforming_strings = off', 'opaque'],
    ['SET search_path = evil, public', 'set *'],
    ['SET search_path TO public', ''],
    ['SET LOCAL ROLE dba', 'opaque'],
    ['RESET ROLE', 'opaque'],
    ['SET SESSION AUTHORIZATION DEFAULT', 'opaque'],
    ['RESET ALL', 'set *'],
    ['RESET search_path', ''],
    ["SET work_mem = '1GB'", 'set *'],
    ["SET app.tenant = '1'", 'set *'],
    ['SET bytea_output = hex', ''],
    ['SET bytea_output = escape', 'opaque'],
    ['SHOW ALL', ''],
    ["SELECT pg_catalog.set_config('search_path', '', false)", ''],
    ["SELECT set_config('search_path', 'evil', false)", 'set *'],
    ["SELECT set_config('search_path', 'a b', false)", 'opaque'],
    ["SELECT set_config('search_path', $1, false)", 'opaque'],
    ['SET search_path FROM CURRENT', 'opaque'],
    ['SET LOCAL search_path = "Sales", \'x, y\'', 'set *'],
    ["SELECT set_config('ro' || 'le', 'dba', false)", 'opaque'],
    ['SELECT set_config($1, $2, false)', 'opaque'],
    ["SELECT set_config('app.tenant', '1', true)", 'set *'],
    [
      "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'row_security'",
      'select pg_catalog.pg_settings',
    ],
    ["SELECT set_config(name, '1', false) FROM pg_settings WHERE name = 'role'", 'opaque'],
    ["SELECT set_config(name, '1', false) FROM pg_settings WHERE name = 'geqo' OR true", 'opaque'],
    ["SELECT set_config(name, '1', false) FROM s.pg_settings WHERE name = 'geqo'", 'opaque'],
    ["SELECT set_config(name, '1', false) FROM pg_settings a, pg_settings WHERE name = 'geqo'", 'opaque'],
    ["SELECT set_config(name, '1', false) FROM pg_settings WHERE name = 'geqo' UNION SELECT 'a'", 'opaque'],
    ["SELECT set_config(name, setting, false) FROM pg_settings WHERE name = 'geqo'", 'opaque'],
    // Functions
    ['SELECT lower(a), pg_catalog.now(), count(*), random(), extract(year FROM d) FROM t', 'select t'],
    ['SELECT pg_sleep(1)', 'call *'],
    ["SELECT nextval('s')", 'call *'],
    ['SELECT public.lower(1)', 'call *'],
    ["SELECT query_to_xml('DELETE FROM a', true, true, '')", 'call *'],
    ["SELECT pg_read_file('x')", 'call *'],
    ["SELECT * FROM dblink('', '') AS t(a int)", 'call *'],
    [
      'SELECT (information_schema._pg_expandarray(conkey)).n FROM pg_constraint',
      'select pg_catalog.pg_constraint',
    ],
    ['SELECT 1 OPERATOR(pg_catalog.+) 1', ''],
    ['SELECT 1 OPERATOR(evil.+) 1', 'call *'],
    ["SELECT pg_notify('c', 'x')", 'notify *'],
    ['CALL p(1)', 'call *'],
    ["DO 'BEGIN END'", 'opaque'],
    // Definitions
    ['CREATE TABLE a (id int PRIMARY KEY, b int REFERENCES s.b)', 'create a, select s.b'],
    ['CREATE TEMP TABLE a (id int DEFAULT f())', 'call *, create pg_temp.a'],
    ['CREATE TABLE a PARTITION OF b FOR VALUES IN (1)', 'alter b, create a'],
    ['CREATE TABLE a (LIKE b)', 'create a, select b'],
    ['CREATE OR REPLACE VIEW v AS SELECT * FROM a', 'alter v, create v, select a'],
    ['CREATE INDEX ON a (lower(b)) WHERE c', 'create a'],
    ['CREATE SCHEMA s', 'create *'],
    ['CREATE SCHEMA sp_0123abcd_l_x', 'opaque'],
    ['ALTER SCHEMA s RENAME TO sp_0123abcd_l_x', 'opaque'],
    ['CREATE SCHEMA s CREATE TABLE t (a int)', 'opaque'],
    ['CREATE SEQUENCE s.q', 'create s.q'],
    ["CREATE TYPE s.mood AS ENUM ('ok')", 'create s.'],
    ['ALTER TABLE a ADD COLUMN b int, DROP COLUMN c', 'alter a'],
    ['ALTER TABLE a OWNER TO b', 'opaque'],
    ['ALTER TABLE a DISABLE ROW LEVEL SECURITY', 'alter a, grant a'],
    ['ALTER TABLE a ATTACH PARTITION b DEFAULT', 'alter a, alter b'],
    ['ALTER TABLE a RENAME TO b', 'alter a, create b'],
    ['ALTER TABLE a RENAME COLUMN b TO c', 'alter a'],
    ['ALTER TABLE a SET SCHEMA s', 'alter a, create s.a'],
    ['DROP TABLE a, s.b', 'drop a, drop s.b'],
    ['DROP TABLE s.a CASCADE', 'drop s., drop s.a'],
    ['DROP SCHEMA s CASCADE', 'drop s.'],
    ['DROP EXTENSION x', 'opaque'],
    ["COMMENT ON COLUMN a.b IS 'x'", 'alter a'],
    ['GRANT SELECT ON a TO b', 'grant a'],
    ['REVOKE ALL ON ALL TABLES IN SCHEMA s FROM b', 'revoke s.'],
    ['GRANT a TO b', 'opaque'],
    ['CREATE ROLE x', 'opaque'],
    ['CREATE POLICY p ON a USING (true)', 'alter a, grant a'],
    ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", 'opaque'],
    ['CREATE TRIGGER t AFTER UPDATE ON a EXECUTE FUNCTION f()', 'opaque'],
    ['CREATE RULE r AS ON SELECT TO a DO INSTEAD SELECT 1', 'opaque'],
    ['CREATE EXTENSION dblink', 'opaque'],
    ['ALTER SYSTEM SET work_mem = 1', 'opaque'],
    // The rest
    ['LISTEN c', 'listen *'],
    ['UNLISTEN *', ''],
    ['NOTIFY c', 'notify *'],
    ['LOCK TABLE a, s.b', 'lock a, lock s.b'],
    ['LOCK TABLE a IN ACCESS SHARE MODE', 'select a'],
    ['VACUUM', 'maintain *'],
    ['ANALYZE a (b)', 'maintain a'],
    ['CLUSTER a USING i', 'maintain a'],
    ['REINDEX SCHEMA s', 'maintain s.'],
    ['REFRESH MATERIALIZED VIEW v', 'maintain v'],
    ['CHECKPOINT', 'opaque'],
    ["LOAD 'x'", 'opaque'],
    ['SELECT 1; DROP TABLE a; SELECT * FROM b', 'drop a, select b'],
    ['SELECT 1; DO $$$$', 'opaque'],
  ])('%s', (sql, expected) => {
    expect(operations(sql)).toBe(expected)
  })
})

it.each(
  `currtid2 database_to_xml dblink lo_export lo_import pg_advisory_lock pg_ls_dir pg_promote pg_read_binary_file
  pg_reload_conf pg_stat_file pg_switch_wal pg_terminate_backend query_to_xml setval table_to_xml ts_rewrite ts_stat
  pg_logical_emit_message pg_stat_reset lo_get currtid pg_current_logfile`.split(/\s+/),
)('%s is not harmless', (name) => {
  expect(operations(`SELECT ${name}()`)).toBe('call *')
  expect(operations(`SELECT pg_catalog.${name}()`)).toBe('call *')
})

describe('the facts of a statement', () => {
  it('has the outermost LIMIT when it is a number', () => {
    expect(read('SELECT * FROM a LIMIT 10').facts.limit).toBe(10)
    expect(read('SELECT * FROM a FETCH FIRST 0 ROWS ONLY').facts.limit).toBe(0)
    expect(read('SELECT * FROM a LIMIT NULL').facts.limit).toBeUndefined()
    expect(read('SELECT * FROM (SELECT 1 LIMIT 1) x').facts.limit).toBeUndefined()
    expect(read('SELECT * FROM a ORDER BY 1 FETCH FIRST 3 ROWS WITH TIES').facts.limit).toBeUndefined()
  })

  it('has the functions as they are called', () => {
    expect(read('SELECT LOWER(x), "Odd"(1), s.f(), substring(x FROM 1) FROM t').facts.functions).toEqual([
      'lower',
      'odd',
      's.f',
      'substring',
    ])
  })

  it('says that a query held several statements', () => {
    expect(read('SELECT 1').facts.multi).toBe(false)
    expect(read('SELECT 1; SELECT 2').facts.multi).toBe(true)
  })

  it('names what PREPARE keeps and what EXECUTE runs', () => {
    expect(read('PREPARE p AS SELECT 1').prepares).toBe('p')
    expect(read('EXECUTE p(1)').executes).toEqual(['p'])
    expect(read('EXPLAIN ANALYZE EXECUTE p').executes).toEqual(['p'])
    expect(read('CREATE TABLE t AS EXECUTE p').executes).toEqual(['p'])
    expect(read('PREPARE p AS SELECT 1; PREPARE q AS SELECT 2').facts.reading).toBe('opaque')
  })

  it.each([
    ['SELECT * FROM a WHERE id = 5', 'shape'],
    ["INSERT INTO a VALUES (1, 'x')", 'shape'],
    ['UPDATE a SET n = 1 WHERE id = 5', 'shape'],
    ['SELECT * FROM a LIMIT 10', 'text'],
    ["SELECT nextval('s')", 'text'],
    ["SET application_name = 'x'", 'text'],
    ['DELETE FROM a WHERE id > 5', 'text'],
    ["DELETE FROM a WHERE name LIKE 'x'", 'text'],
  ])('the reading of %s depends on its %s', (sql, expected) => {
    expect(read(sql).dependsOn).toBe(expected)
  })
})

describe('what the analysis does not know', () => {
  it('makes the statement opaque, wherever it is', () => {
    const select = { targetList: [{ ResTarget: { val: { FancyExpr: { arg: {} } } } }] }
    expect(readStatement({ SelectStmt: select }).opaqueBecause).toContain('FancyExpr')
    expect(readStatement({ SelectStmt: { fancyClause: { a: 1 } } }).opaqueBecause).toContain(
      'SelectStmt.fancyClause',
    )
    expect(readStatement({ FancyStmt: {} }).opaqueBecause).toContain('FancyStmt')
    expect(readStatement(undefined).facts.reading).toBe('opaque')
    expect(readStatement({ SelectStmt: {}, DropStmt: {} }).facts.reading).toBe('opaque')
  })
})

describe('what a statement does to the session', () => {
  const NOTHING = { paths: [], temporary: [], mayChangePath: false, mayRevert: false }

  it.each([
    ['SELECT 1', undefined],
    ["SELECT nextval('s'), pg_sleep(1)", undefined],
    ['BEGIN', undefined],
    ['SAVEPOINT s', undefined],
    ['SET search_path = a, "B", \'c, d\', 1', { paths: [['a', 'B', 'c, d', '1']] }],
    ['SET LOCAL search_path TO "$user", public', { paths: [['public']] }],
    ['RESET search_path', { paths: ['session-start'] }],
    ['SET search_path TO DEFAULT', { paths: ['session-start'] }],
    ['DISCARD ALL', { paths: ['session-start'] }],
    ['RESET ALL', { paths: ['session-start'] }],
    ["SELECT set_config('search_path', 'A, \"B\"', true)", { paths: [['a', 'B']] }],
    ['ROLLBACK TO s', { mayRevert: true }],
    ['COMMIT', { mayRevert: true }],
    ['CALL p()', { mayChangePath: true, mayRevert: true }],
    ['SELECT f()', { mayChangePath: true }],
    ["SELECT query_to_xml('', true, true, '')", { mayChangePath: true }],
    ['SET search_path = a; SET search_path = b', { paths: [['a'], ['b']] }],
  ])('%s', (sql, expected) => {
    expect(read(sql).changes).toEqual(expected && { ...NOTHING, ...expected })
  })

  it('names the cursors that it declares, reads and closes', () => {
    expect(read('DECLARE c CURSOR FOR SELECT 1').declares).toEqual({ name: 'c', isHeld: false })
    expect(read('DECLARE c CURSOR WITH HOLD FOR SELECT 1').declares).toEqual({ name: 'c', isHeld: true })
    expect(read('FETCH 3 FROM c; MOVE d').fetches).toEqual(['c', 'd'])
    expect(read('DECLARE c CURSOR FOR SELECT 1; FETCH c; FETCH d').fetches).toEqual(['d'])
    expect(read('FETCH c; CLOSE c').closes).toEqual(['c'])
    expect(read('CLOSE ALL').closes).toBe('all')
    expect(read('COMMIT').closes).toBe('not held')
    expect(read('ROLLBACK').closes).toBe('all')
  })

  it('runs what was prepared before, and not what it prepares itself', () => {
    expect(read('EXECUTE p; PREPARE p AS SELECT 1; EXECUTE p').executes).toEqual(['p'])
    expect(read('PREPARE p AS SELECT 1; EXECUTE p').executes).toEqual([])
  })
})

describe('with a catalog', () => {
  const routine = (name: string, rest: Partial<Routine> = {}): Routine => ({
    schema: 'public',
    name,
    kind: 'function',
    arguments: '',
    volatility: 'stable',
    returnsSet: false,
    securityDefiner: false,
    language: 'sql',
    ...rest,
  })
  const CATALOG = catalogOf(
    [
      tableOf('orders', ['id', 'total'], {
        foreignKeys: [
          {
            name: 'fk',
            columns: ['customer'],
            references: { schema: 'public', name: 'customers' },
            onDelete: 'refuses',
            onUpdate: 'refuses',
          },
        ],
      }),
      tableOf('customers', ['id', 'ssn']),
      tableOf('parts', ['id'], { kind: 'partitioned-table' }),
      tableOf('parts_1', ['id'], { parents: [{ schema: 'public', name: 'parts' }] }),
      tableOf('sales.kept', ['n'], {
        kind: 'materialized-view',
        uses: [{ schema: 'public', name: 'shown', columns: ['ssn'] }],
      }),
      tableOf('shown', ['ssn'], {
        kind: 'view',
        uses: [{ schema: 'public', name: 'customers', columns: ['ssn'] }],
      }),
    ],
    {
      schemas: ['public', 'sales'],
      functions: [
        routine('lower', { arguments: 'integer' }),
        routine('abs', { schema: 'sales' }),
        routine('similarity', { language: 'c', volatility: 'immutable' }),
        routine('crosstab', { language: 'c' }),
        routine('power', { language: 'c', volatility: 'immutable', securityDefiner: true }),
        routine('total', { kind: 'aggregate', language: 'internal', volatility: 'immutable' }),
      ],
      operators: [
        { schema: 'public', name: '=' },
        { schema: 'sales', name: '<->' },
      ],
    },
  )
  const shown = (
    sql: string,
    paths: readonly SearchPath[] = [['public']],
    temporary: readonly string[] = [],
  ) =>
    readSql(sql, CATALOG, { key: '', paths, fallbacks: paths, temporary })
      .operations.map(({ action, resource, through }) => {
        const on = resource.type === 'Table' ? ` ${resource.schema}.${resource.table}` : ''
        return `${action}${on}${through ? ` (${through.by} ${through.table})` : ''}`
      })
      .toSorted()
      .join(', ')

  it.each([
    ['TRUNCATE customers', 'truncate public.customers'],
    [
      'TRUNCATE customers CASCADE',
      'truncate public.customers, truncate public.orders (foreign-key customers)',
    ],
    ['TRUNCATE parts', 'truncate public.parts, truncate public.parts_1 (parent parts)'],
    ['TRUNCATE ONLY parts', 'truncate public.parts'],
    ['TRUNCATE parts_1', 'truncate public.parts (partition parts_1), truncate public.parts_1'],
    [
      'REFRESH MATERIALIZED VIEW sales.kept',
      'maintain sales.kept, select public.customers (view shown), select public.shown (view kept)',
    ],
    ['LOCK TABLE shown IN SHARE MODE', 'lock public.customers (view shown), lock public.shown'],
  ])('%s reaches further', (sql, expected) => {
    expect(shown(sql)).toBe(expected)
  })

  it.each([
    ["SELECT lower('A')", 'call'],
    ["SELECT pg_catalog.lower('A')", 'connect'],
    ['SELECT abs(1)', 'connect'],
    ['SELECT sales.abs(1)', 'call'],
    ["SELECT similarity('a', 'b')", 'connect'],
    ["SELECT public.similarity('a', 'b')", 'connect'],
    ["SELECT crosstab('')", 'call'],
    ['SELECT power(1, 2)', 'call'],
    ['SELECT total(1)', 'call'],
    ['SELECT unheard_of(1)', 'call'],
    ['SELECT 1 = 1', 'call'],
    ['SELECT 1 OPERATOR(pg_catalog.=) 1', 'connect'],
    ['SELECT 1 <-> 1', 'connect'],
    ['SELECT 1 + 1', 'connect'],
  ])('%s may run what users have made: %s', (sql, expected) => {
    expect(shown(sql)).toBe(expected)
  })

  it('looks for functions and operators in every path that may be in force', () => {
    expect(shown('SELECT abs(1)', [['public'], ['sales']])).toBe('call')
    expect(shown('SELECT 1 <-> 1', [['public', 'sales']])).toBe('call')
  })

  it('tells how volatile what is called can be', () => {
    const { calls } = readSql("SELECT lower('a'), random(), now(), pg_sleep(1)", CATALOG)
    expect(calls).toEqual([
      { name: 'lower', volatility: 'stable', harmless: false },
      { name: 'random', volatility: 'volatile', harmless: true },
      { name: 'now', volatility: 'stable', harmless: true },
      { name: 'pg_sleep', volatility: 'volatile', harmless: false },
    ])
  })

  it('takes a bare name for a temporary relation too, once the session may have made one', () => {
    expect(shown('SELECT * FROM customers', [['public']], ['customers'])).toContain(
      'select pg_temp.customers',
    )
    expect(shown('CREATE TEMP TABLE orders (id int); SELECT * FROM orders')).toBe(
      'create pg_temp.orders, select pg_temp.orders, select public.orders',
    )
    expect(readSql('CREATE TEMP TABLE t AS SELECT 1').changes?.temporary).toEqual(['t'])
    expect(readSql('ALTER TABLE pg_temp.t RENAME TO customers').changes?.temporary).toEqual(['customers'])
    expect(
      shown(
        "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'geqo'",
        [['public']],
        ['pg_settings'],
      ),
    ).toContain('pg_temp')
  })

  it('gives what is needed to do it, and no more', () => {
    const needs = (sql: string) => readSql(sql, CATALOG).needs
    expect(needs('TRUNCATE orders')).toEqual([{ verb: 'truncate', schema: 'public', table: 'orders' }])
    expect(needs('VACUUM orders')).toEqual([{ verb: 'maintain', schema: 'public', table: 'orders' }])
    expect(needs('LOCK orders')).toEqual([{ verb: 'maintain', schema: 'public', table: 'orders' }])
    expect(needs('EXPLAIN DELETE FROM orders').map(({ verb }) => verb)).not.toContain('delete')
  })

  it('says that a plan has no data in it, unless something was called to plan', () => {
    const outputs = (sql: string) => readSql(sql, CATALOG).flow.outputs
    expect(outputs('EXPLAIN (VERBOSE) SELECT min(ssn) FROM customers')).toEqual([
      { sources: [], isPlain: false },
    ])
    expect(outputs('EXPLAIN SELECT 1 FROM orders WHERE total = total(1)')).toEqual([
      { sources: 'anything', isPlain: false },
    ])
  })
})
