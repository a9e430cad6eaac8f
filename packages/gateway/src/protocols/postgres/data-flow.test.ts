import { loadModule, parseSync } from 'libpg-query'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTargetPostgres, type TargetPostgres } from '../../../../../test/harness/postgres.ts'
import type { Grant } from '../../access/capability.ts'
import type { Catalog } from '../../access/catalog.ts'
import { combineReadings } from '../sql/combine-readings.ts'
import { CatalogIndex } from '../sql/names.ts'
import { readStatements } from '../sql/read-statement.ts'
import type { SqlReading } from '../sql/reading.ts'
import { usualNames } from '../sql/search-path.ts'
import { readCatalog } from './catalog.ts'

const SCHEMA = `
  CREATE TABLE customers (id int PRIMARY KEY, name text, ssn text UNIQUE, doc jsonb, tags text[]);
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE CASCADE, total numeric, status text);
  CREATE TABLE other (id int, name text, extra text);
  CREATE VIEW contacts AS SELECT id AS ref, ssn AS code, upper(name) AS shout FROM customers WHERE name IS NOT NULL;
  CREATE VIEW mine WITH (security_invoker) AS SELECT id, ssn FROM customers WHERE name <> '';
  CREATE VIEW nested AS SELECT code AS c2, ref FROM contacts;
  CREATE MATERIALIZED VIEW kept AS SELECT id, ssn FROM customers;
  CREATE TABLE parts (k int, v text) PARTITION BY LIST (k);
  CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1);
  CREATE TABLE base (a int, b text);
  CREATE TABLE derived (c text) INHERITS (base);
  CREATE SCHEMA sales;
  CREATE TABLE sales.orders (id int, secret text);
  CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY, a text, b text GENERATED ALWAYS AS (upper(a)) STORED);
  INSERT INTO customers VALUES (1, 'Ana', '123', '{"a": 1}', '{x,y}'), (2, 'Bo', '456', '{"a": 2}', '{z}');
  INSERT INTO orders VALUES (1, 1, 10, 'new'), (2, 2, 20, 'paid');
  INSERT INTO other VALUES (1, 'o', 'e');
  INSERT INTO parts VALUES (1, 'v');
  INSERT INTO base VALUES (1, 'b');
  REFRESH MATERIALIZED VIEW kept;
`

/** Queries whose columns PostgreSQL resolves in every way that it has. */
const QUERIES: readonly string[] = [
  'SELECT * FROM customers',
  'TABLE orders',
  'SELECT ssn AS a, id, name n FROM customers',
  'SELECT c.*, o.total FROM customers c JOIN orders o ON o.customer_id = c.id',
  'SELECT * FROM customers NATURAL JOIN other',
  'SELECT * FROM customers JOIN other USING (id)',
  'SELECT * FROM customers LEFT JOIN other USING (id, name)',
  'SELECT * FROM customers RIGHT JOIN other USING (id)',
  'SELECT * FROM customers FULL JOIN other USING (id)',
  'SELECT id, other.id, customers.id FROM customers JOIN other USING (id)',
  'SELECT j.* FROM (customers JOIN other USING (id)) AS j',
  'SELECT j.x, j.ssn FROM (customers c JOIN other o USING (id)) AS j (x, y)',
  'SELECT j.id, c.ssn FROM customers c JOIN other o USING (id) AS j',
  'SELECT a, b FROM customers AS c (a, b)',
  'SELECT c.ssn FROM customers AS c (a, b)',
  'SELECT public.customers.ssn FROM customers',
  'SELECT customers.ssn FROM public.customers',
  'SELECT orders.secret, o.status FROM sales.orders, public.orders o',
  'SELECT s.x FROM (SELECT ssn AS x, id FROM customers) s',
  'SELECT s.* FROM (SELECT c.*, 1 AS one FROM customers c) s',
  'SELECT x FROM (SELECT * FROM (SELECT ssn FROM customers) a (x)) b',
  'SELECT (SELECT ssn FROM customers c WHERE c.id = o.customer_id) FROM orders o',
  'SELECT (SELECT c.ssn) FROM customers c',
  'SELECT l.s FROM customers c, LATERAL (SELECT c.ssn AS s) l',
  'SELECT l.* FROM customers c CROSS JOIN LATERAL (SELECT o.total, c.ssn FROM orders o WHERE o.customer_id = c.id) l',
  'WITH t AS (SELECT ssn FROM customers) SELECT * FROM t',
  'WITH t (a) AS MATERIALIZED (SELECT ssn FROM customers) SELECT t.a FROM t',
  'WITH customers AS (SELECT id, status FROM orders) SELECT * FROM customers',
  'WITH orders AS (SELECT * FROM orders) SELECT * FROM orders',
  'WITH a AS (SELECT ssn AS x FROM customers), b AS (SELECT x AS y FROM a) SELECT y FROM b',
  'WITH a AS (SELECT 1 AS x) SELECT * FROM (WITH a AS (SELECT ssn FROM customers) SELECT * FROM a) s, a',
  'WITH RECURSIVE b AS (SELECT x FROM a), a AS (SELECT ssn AS x FROM customers) SELECT * FROM b',
  'SELECT ref, code, shout FROM contacts',
  'SELECT * FROM nested',
  'SELECT n.c2 FROM nested n JOIN contacts c ON c.ref = n.ref',
  'SELECT * FROM mine',
  'SELECT ssn FROM kept',
  'SELECT * FROM parts',
  'SELECT v FROM part1',
  'SELECT * FROM base',
  'SELECT * FROM ONLY base',
  'SELECT * FROM derived',
  'SELECT a, b FROM made',
  'SELECT * FROM customers c, unnest(c.tags) WITH ORDINALITY AS u (tag, n)',
  'SELECT c.id, e.key, e.value FROM customers c, jsonb_each(c.doc) e',
  "SELECT * FROM customers, json_table(doc, '$' COLUMNS (a int PATH '$.a')) AS jt",
  'SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY[1])) AS f (a, b), orders',
  'SELECT * FROM generate_series(1, 2) g, customers',
  'SELECT (c).ssn, (c).* FROM customers c',
  'SELECT c.ssn FROM customers c ORDER BY c.ssn LIMIT 1',
  'SELECT DISTINCT ON (ssn) ssn, id FROM customers ORDER BY 1',
  'SELECT ssn, count(*) FROM customers GROUP BY ssn',
  'SELECT ssn FROM customers GROUP BY GROUPING SETS ((ssn), ())',
  'SELECT ssn, rank() OVER w FROM customers WINDOW w AS (PARTITION BY name ORDER BY id)',
  'SELECT ssn FROM customers UNION SELECT status FROM orders',
  'SELECT ssn COLLATE "C" FROM customers',
  'VALUES (1, 2), (3, 4)',
  'SELECT ctid, tableoid, ssn FROM customers',
  'SELECT FROM customers',
  'INSERT INTO orders VALUES (9, 1, 5, $$new$$) RETURNING *',
  'INSERT INTO orders (id, status) SELECT 9, ssn FROM customers LIMIT 1 RETURNING id, status AS s',
  'INSERT INTO other AS o VALUES (7) RETURNING o.id, o.name',
  'UPDATE customers SET name = $$x$$ RETURNING ssn, customers.*',
  'UPDATE orders o SET status = c.ssn FROM customers c WHERE c.id = o.customer_id RETURNING o.status, c.ssn, *',
  'DELETE FROM orders USING customers c WHERE c.id = customer_id RETURNING c.ssn, orders.total',
  'MERGE INTO orders o USING customers c ON c.id = o.customer_id WHEN MATCHED THEN UPDATE SET status = c.ssn RETURNING o.id, c.name, *',
  'WITH d AS (DELETE FROM orders RETURNING status AS s) SELECT * FROM d',
  'UPDATE customers SET name = $$x$$ RETURNING old.name, new.ssn',
]

/** Statements with all that PostgreSQL asks a privilege for. */
const PRIVILEGED: readonly string[] = [
  'SELECT count(*) FROM customers',
  'SELECT ssn FROM customers WHERE name = $$x$$',
  'SELECT c FROM other c',
  'SELECT (c).extra FROM other c',
  'SELECT id FROM customers ORDER BY ssn',
  'SELECT 1 FROM customers GROUP BY ssn HAVING max(name) > $$a$$',
  'SELECT customers.id FROM customers JOIN other USING (name)',
  'SELECT 1 FROM customers NATURAL JOIN other',
  'SELECT ctid FROM orders',
  'SELECT (SELECT ssn FROM customers c WHERE c.id = o.customer_id) FROM orders o',
  'SELECT ref FROM contacts',
  'SELECT c2 FROM nested',
  'SELECT id FROM mine',
  'SELECT v FROM parts',
  'SELECT v FROM part1',
  'SELECT b FROM base',
  'SELECT status FROM orders FOR UPDATE',
  'SELECT o.status FROM orders o, other FOR SHARE OF o',
  'SELECT * FROM (SELECT id FROM orders) s FOR UPDATE',
  'INSERT INTO other VALUES (1)',
  'INSERT INTO other DEFAULT VALUES',
  'INSERT INTO other (name) VALUES ($$x$$) RETURNING id',
  'INSERT INTO other (name) SELECT ssn FROM customers WHERE id = 1',
  'INSERT INTO customers (id, name) VALUES (1, $$x$$) ON CONFLICT DO NOTHING',
  'INSERT INTO customers (id, name) VALUES (1, $$x$$) ON CONFLICT (id) DO NOTHING',
  'INSERT INTO customers (id, name) VALUES (1, $$x$$) ON CONFLICT (id) DO UPDATE SET name = excluded.name',
  'INSERT INTO customers AS c (id, name) VALUES (1, $$x$$) ON CONFLICT (id) DO UPDATE SET name = c.ssn WHERE c.tags IS NULL',
  'INSERT INTO parts VALUES (1, $$x$$)',
  'UPDATE other SET name = $$x$$',
  'UPDATE other SET name = $$x$$ WHERE id = 1',
  'UPDATE other SET name = extra RETURNING id',
  'UPDATE other o SET (name, extra) = (SELECT c.ssn, c.name FROM customers c WHERE c.id = o.id)',
  'UPDATE customers SET tags[1] = $$x$$',
  'UPDATE orders SET status = c.name FROM customers c WHERE c.id = customer_id',
  'UPDATE parts SET v = $$y$$ WHERE k = 1',
  'UPDATE mine SET ssn = $$9$$ WHERE id = 1',
  'DELETE FROM other',
  'DELETE FROM other WHERE id = 1 RETURNING name',
  'DELETE FROM orders USING customers c WHERE c.id = customer_id AND c.ssn = $$1$$',
  'DELETE FROM contacts WHERE ref = 7',
  'MERGE INTO other t USING orders s ON t.id = s.id WHEN MATCHED AND s.total > 5 THEN UPDATE SET name = s.status WHEN NOT MATCHED THEN INSERT (id) VALUES (s.customer_id)',
  'MERGE INTO other t USING orders s ON t.id = s.id WHEN MATCHED THEN DELETE',
  'WITH d AS (DELETE FROM other WHERE id = 1 RETURNING name) INSERT INTO base (b) SELECT name FROM d',
  'WITH t AS (SELECT ssn FROM customers) SELECT count(*) FROM t',
  'SELECT status FROM orders WHERE EXISTS (SELECT 1 FROM other)',
  'SELECT total FROM orders UNION ALL SELECT id FROM sales.orders',
  'COPY (SELECT status FROM orders) TO STDOUT',
]

describe('the reading of a query, beside what PostgreSQL itself says', () => {
  let server: TargetPostgres
  let client: Client
  let catalog: Catalog
  let index: CatalogIndex

  beforeAll(async () => {
    await loadModule()
    server = await startTargetPostgres()
    client = await server.client()
    await client.query(SCHEMA)
    await client.query('BEGIN; SET LOCAL search_path = pg_catalog')
    catalog = await readCatalog(async (text) => (await client.query(text)).rows)
    await client.query('COMMIT')
    index = new CatalogIndex(catalog, parseSync)
  })
  afterAll(() => server.stop())

  function read(sql: string): SqlReading {
    return combineReadings(readStatements(parseSync(sql), index, usualNames(['public'])))
  }

  afterEach(async () => {
    await client.query('ROLLBACK')
  })

  it.each(QUERIES)('finds the columns of %s where PostgreSQL finds them', async (sql) => {
    await client.query('BEGIN')
    const { fields } = await client.query(sql)
    const { flow, opaqueBecause } = read(sql)
    expect(opaqueBecause).toBeUndefined()
    const { outputs } = flow
    if (outputs === 'unknown') expect.fail('the width of the result was not told')
    expect(outputs).toHaveLength(fields.length)
    for (const [n, { tableID, columnID, name }] of fields.entries()) {
      if (tableID === 0 || columnID <= 0) continue
      const relation = catalog.relations.find(({ oid }) => oid === tableID)
      const column = relation?.columns.find(({ number }) => number === columnID)?.name
      const { sources, isPlain } = outputs[n] ?? {}
      const found = { schema: relation?.schema, name: relation?.name, column }
      expect(sources, `column ${n + 1}, ${name}`).toContainEqual(found)
      // The masks of a plain column are held against what RowDescription says of it.
      if (isPlain === true && relation?.definition === undefined) expect(sources?.[0]).toEqual(found)
    }
  })

  /** Runs it as somebody who has these privileges alone. @returns the SQLSTATE of its failure */
  async function runWith(sql: string, grants: readonly Grant[]): Promise<string | undefined> {
    await client.query('BEGIN; CREATE ROLE somebody; GRANT USAGE ON SCHEMA public, sales TO somebody')
    try {
      for (const { verb, schema, table, columns } of grants) {
        const relation = catalog.relations.find((one) => one.schema === schema && one.name === table)
        const named = columns?.length === 0 ? relation?.columns.slice(0, 1).map(({ name }) => name) : columns
        const list = named === undefined ? '' : `(${named.map((name) => `"${name}"`).join(', ')})`
        await client.query(`GRANT ${verb} ${list} ON "${schema}"."${table}" TO somebody`)
      }
      await client.query('SET LOCAL ROLE somebody')
      await client.query(sql)
      return undefined
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : String(error)
    } finally {
      await client.query('ROLLBACK')
    }
  }

  /** All but one of the privileges, or but one column of one of them. */
  function withoutOne(needs: readonly Grant[]): readonly (readonly Grant[])[] {
    return needs.flatMap((grant, n) => {
      const others = needs.filter((_, m) => m !== n)
      const { columns } = grant
      if (columns === undefined || columns.length < 2) return [others]
      return columns.map((column) => [
        ...others,
        { ...grant, columns: columns.filter((one) => one !== column) },
      ])
    })
  }

  it.each(PRIVILEGED)('knows the privileges that are asked for %s', async (sql) => {
    const { needs, opaqueBecause } = read(sql)
    expect(opaqueBecause).toBeUndefined()
    expect(await runWith(sql, needs)).toBeUndefined()
    for (const fewer of withoutOne(needs))
      expect(await runWith(sql, fewer), `with ${JSON.stringify(fewer)}`).toBe('42501')
  })
})
