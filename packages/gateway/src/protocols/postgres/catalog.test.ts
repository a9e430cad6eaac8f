import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { isSystemSchema, type Relation } from '../../access/catalog.ts'
import { PostgresRoleIssuer } from './credentials.ts'
import { type IssuerTarget, serverVersions, startIssuerTarget } from './issuer-target.fixture.ts'

const signal = AbortSignal.timeout(60_000)
describe.each(serverVersions())('on PostgreSQL %s', (version) => {
  let server: IssuerTarget
  let issuer: PostgresRoleIssuer

  beforeAll(async () => {
    server = await startIssuerTarget(version)
    issuer = new PostgresRoleIssuer(server.target)
  })
  afterAll(async () => {
    await issuer[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  const named = async (name: string): Promise<Relation | undefined> =>
    (await issuer.catalog(signal)).relations.find((relation) => relation.name === name)

  test('reads schemas, relations, columns and the sequences that an INSERT draws from', async () => {
    const catalog = await issuer.catalog(signal)
    expect(catalog.schemas).toEqual(['public'])
    const users = catalog.relations.filter(({ schema }) => !isSystemSchema(schema))
    const plain = {
      oid: expect.any(Number),
      uses: [],
      parents: [],
      hasRules: false,
      triggers: [],
      foreignKeys: [],
    }
    expect(users).toEqual([
      {
        ...plain,
        schema: 'public',
        name: 'customers',
        kind: 'table',
        columns: [
          { name: 'id', type: 'integer', nullable: false, number: 1 },
          { name: 'email', type: 'text', nullable: false, number: 2 },
        ],
        sequences: [{ schema: 'public', name: 'customers_id_seq' }],
      },
      {
        ...plain,
        schema: 'public',
        name: 'emails',
        kind: 'view',
        columns: [{ name: 'email', type: 'text', nullable: true, number: 1 }],
        sequences: [],
        definition: expect.stringMatching(/^ SELECT (?:customers\.)?email\n   FROM public\.customers;$/),
        uses: [{ schema: 'public', name: 'customers', columns: ['email'] }],
      },
      {
        ...plain,
        schema: 'public',
        name: 'orders',
        kind: 'table',
        columns: [
          { name: 'id', type: 'integer', nullable: false, number: 1 },
          { name: 'note', type: 'character varying(20)', nullable: true, number: 2 },
        ],
        sequences: [{ schema: 'public', name: 'orders_id_seq' }],
      },
      {
        ...plain,
        schema: 'public',
        name: 'secrets',
        kind: 'table',
        columns: [{ name: 'id', type: 'integer', nullable: true, number: 1 }],
        sequences: [],
      },
    ])
  })

  test('names the relations and columns of PostgreSQL’s own schemas, for statements that join with them', async () => {
    const { relations } = await issuer.catalog(signal)
    const pgClass = relations.find(({ schema, name }) => schema === 'pg_catalog' && name === 'pg_class')
    expect(pgClass).toMatchObject({ oid: 1259, kind: 'table' })
    expect(pgClass?.columns.map(({ name }) => name)).toContain('relname')
    expect(
      relations.find(({ schema, name }) => schema === 'information_schema' && name === 'tables')?.kind,
    ).toBe('view')
  })

  test('knows what writing to a table leads to: triggers, rules, cascades, partitions', async () => {
    await server.admin.query(`
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TABLE events (id int PRIMARY KEY, at date, twice int GENERATED ALWAYS AS (id * 2) STORED);
    CREATE TABLE parts (event int REFERENCES events ON DELETE CASCADE ON UPDATE SET NULL, at date) PARTITION BY RANGE (at);
    CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TRIGGER note BEFORE INSERT OR UPDATE ON events FOR EACH ROW EXECUTE FUNCTION noted();
    CREATE TRIGGER off BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION noted();
    ALTER TABLE events DISABLE TRIGGER off;
    CREATE RULE silent AS ON DELETE TO events DO INSTEAD NOTHING`)
    const [events, parts, part] = [await named('events'), await named('parts'), await named('parts_2026')]
    expect(events).toMatchObject({
      hasRules: true,
      triggers: [{ name: 'note', on: ['insert', 'update'], function: { schema: 'public', name: 'noted' } }],
    })
    expect(events?.columns[2]).toMatchObject({ name: 'twice', number: 3, generatedFrom: '(id * 2)' })
    expect(parts).toMatchObject({
      kind: 'partitioned-table',
      parents: [],
      foreignKeys: [
        {
          columns: ['event'],
          references: { schema: 'public', name: 'events' },
          onDelete: 'cascades',
          onUpdate: 'changes',
        },
      ],
    })
    expect(part).toMatchObject({ kind: 'table', parents: [{ schema: 'public', name: 'parts' }] })
    await server.admin.query('DROP TABLE parts, events; DROP FUNCTION noted')
  })

  test('knows what a view reads, one step below it, and with whose rights', async () => {
    await server.admin.query(`
    CREATE VIEW counted AS SELECT count(*) AS n, min(e.email) AS first FROM orders o, emails e;
    CREATE MATERIALIZED VIEW kept AS SELECT id, note FROM orders;
    CREATE VIEW mine WITH (security_invoker = on) AS SELECT relname, id FROM pg_catalog.pg_class, orders`)
    expect((await named('counted'))?.uses).toEqual([
      { schema: 'public', name: 'emails', columns: ['email'] },
      { schema: 'public', name: 'orders', columns: [] },
    ])
    expect(await named('kept')).toMatchObject({
      kind: 'materialized-view',
      definition: expect.stringContaining('public.orders'),
      uses: [{ schema: 'public', name: 'orders', columns: ['id', 'note'] }],
    })
    expect(await named('mine')).toMatchObject({
      invokerRights: true,
      uses: [{ schema: 'public', name: 'orders', columns: ['id'] }],
    })
    await server.admin.query('DROP VIEW counted, mine; DROP MATERIALIZED VIEW kept')
  })

  test('knows routines and operators of users, and what they may do', async () => {
    await server.admin.query(`
    CREATE FUNCTION twice(i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT i * 2';
    CREATE PROCEDURE tidy() SECURITY DEFINER LANGUAGE sql AS 'DELETE FROM secrets';
    CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = same)`)
    const { functions, operators } = await issuer.catalog(signal)
    expect(functions).toEqual([
      {
        schema: 'public',
        name: 'same',
        kind: 'function',
        arguments: 'text, text',
        volatility: 'volatile',
        returnsSet: false,
        securityDefiner: false,
        language: 'sql',
      },
      expect.objectContaining({ name: 'tidy', kind: 'procedure', securityDefiner: true }),
      expect.objectContaining({ name: 'twice', arguments: 'i integer', volatility: 'immutable' }),
    ])
    expect(operators).toEqual([{ schema: 'public', name: '===' }])
    await server.admin.query('DROP OPERATOR === (text, text); DROP FUNCTION same, twice; DROP PROCEDURE tidy')
  })

  test('says where a session looks for bare names: as the database says, all roles, or the server', async () => {
    const path = async (): Promise<readonly string[]> => (await issuer.catalog(signal)).searchPath
    const untilReloaded = (expected: readonly string[]): Promise<void> =>
      vi.waitFor(
        async () => {
          await server.admin.query('SELECT pg_reload_conf()')
          expect(await path()).toEqual(expected)
        },
        { timeout: 20_000, interval: 200 },
      )
    expect(await path()).toEqual(['public'])
    await server.admin.query(`ALTER ROLE sallyport_issuer IN DATABASE shop SET search_path = hidden`)
    expect(await path()).toEqual(['public'])
    await server.admin.query(`ALTER ROLE ALL SET search_path = everyone, "Odd, one"`)
    expect(await path()).toEqual(['everyone', 'Odd, one'])
    await server.admin.query(`ALTER DATABASE shop SET search_path = sales, pg_catalog, "$user"`)
    expect(await path()).toEqual(['sales', 'pg_catalog'])
    await server.admin.query(`
    ALTER DATABASE shop RESET search_path; ALTER ROLE ALL RESET search_path;
    ALTER ROLE sallyport_issuer IN DATABASE shop RESET search_path`)
    await server.admin.query(`ALTER SYSTEM SET search_path = configured, public`)
    await untilReloaded(['configured', 'public'])
    await server.admin.query('ALTER SYSTEM RESET search_path')
    await untilReloaded(['public'])
  })

  test('while somebody changes a table, a view on it has no definition, and gets it afterwards', async () => {
    const complete = await issuer.catalog(signal)
    await server.admin.query('BEGIN; ALTER TABLE customers ADD COLUMN passing int')
    await using other = new PostgresRoleIssuer(server.target)
    const meanwhile = (await other.catalog(signal)).relations.find(({ name }) => name === 'emails')
    expect(meanwhile).toMatchObject({ kind: 'view' })
    expect(meanwhile?.definition).toBeUndefined()
    await server.admin.query('ROLLBACK')
    expect(await other.catalog(signal)).toEqual(complete)
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
      'ALTER TABLE sales.t RENAME COLUMN j TO k',
      'CREATE TABLE sales.c (i int PRIMARY KEY); ALTER TABLE sales.c RENAME TO d',
      'CREATE VIEW sales.v AS SELECT i FROM sales.d',
      'CREATE OR REPLACE VIEW sales.v AS SELECT i + 1 AS i FROM sales.d',
      'ALTER VIEW sales.v SET (security_invoker = true)',
      'CREATE TABLE sales.e (i int REFERENCES sales.d)',
      'ALTER TABLE sales.e DROP CONSTRAINT e_i_fkey, ADD FOREIGN KEY (i) REFERENCES sales.d ON DELETE CASCADE',
      'CREATE DOMAIN sales.dom AS int; ALTER TABLE sales.e ALTER COLUMN i TYPE sales.dom',
      'ALTER DOMAIN sales.dom RENAME TO mod',
      'CREATE FUNCTION sales.f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
      'ALTER FUNCTION sales.f() STABLE',
      'CREATE TABLE sales.f (); ALTER TABLE sales.e INHERIT sales.f',
      'CREATE RULE r AS ON DELETE TO sales.e DO INSTEAD NOTHING',
      'ALTER DATABASE shop SET search_path = sales',
      'ALTER DATABASE shop RESET search_path; CREATE MATERIALIZED VIEW sales.m AS SELECT 1 AS one',
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

  test('granting, analysing and vacuuming change nothing that the catalog is about', async () => {
    const before = await issuer.catalog(signal)
    await server.admin.query('GRANT SELECT (id) ON secrets TO PUBLIC; GRANT INSERT ON secrets TO PUBLIC')
    await server.admin.query('ANALYZE')
    await server.admin.query('VACUUM FULL secrets')
    // The very same: it was not even read again.
    expect(await issuer.catalog(signal)).toBe(before)
    await server.admin.query(
      'REVOKE SELECT (id) ON secrets FROM PUBLIC; REVOKE INSERT ON secrets FROM PUBLIC',
    )
  })

  test('temporary tables and system schemas are not in it', async () => {
    await server.admin.query('CREATE TEMP TABLE mine (i int)')
    const catalog = await issuer.catalog(signal)
    expect(catalog.relations.map(({ name }) => name)).not.toContain('mine')
    expect(catalog.schemas.filter((schema) => /^pg_|^information_schema$/.test(schema))).toEqual([])
  })
})
