import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Capability, capabilityOf, type Verb } from '../../access/capability.ts'
import type { Credential } from '../contract.ts'
import { PostgresRoleIssuer } from './credentials.ts'
import { identifier } from './credentials-names.ts'
import { type IssuerTarget, serverVersions, startIssuerTarget } from './issuer-target.fixture.ts'

const OWNER = '0a1b2c3d'
const READ = capabilityOf([{ verb: 'select', schema: 'public', table: 'customers' }])
const WRITE = capabilityOf([
  { verb: 'select', schema: 'public', table: 'customers' },
  { verb: 'insert', schema: 'public', table: 'customers' },
])
const CREATE = capabilityOf([{ verb: 'select', schema: 'public', table: 'customers' }], ['public'])
const signal = AbortSignal.timeout(10 * 60_000)
const inAnHour = (): Date => new Date(Date.now() + 3_600_000)

describe.each(serverVersions())('on PostgreSQL %s', (version) => {
  let server: IssuerTarget
  let issuer: PostgresRoleIssuer
  let count = 0

  beforeAll(async () => {
    server = await startIssuerTarget(version, ['log_statement=all', 'log_min_error_statement=error'])
    issuer = new PostgresRoleIssuer(server.target)
  })
  afterAll(async () => {
    await issuer[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function lease(capability: Capability): Promise<Credential> {
    count++
    const plan = issuer.plan(OWNER, `lea_test${String(count).padStart(12, 'a')}`, capability, inAnHour())
    return await issuer.issue(plan, signal)
  }
  async function holderOf(credential: Credential): Promise<string> {
    const { rows } = await server.admin.query<{ holder: string }>(
      `SELECT roleid::regrole::text AS holder FROM pg_auth_members
       WHERE member = $1::regrole AND roleid::regrole::text LIKE 'sp%'`,
      [credential.username],
    )
    return rows[0]?.holder ?? ''
  }
  async function acl(): Promise<unknown> {
    const text = 'SELECT relname, relacl::text FROM pg_class WHERE relacl IS NOT NULL ORDER BY oid'
    return (await server.admin.query(text)).rows
  }
  async function columnAcl(): Promise<unknown> {
    return (await server.admin.query('SELECT attacl::text FROM pg_attribute WHERE attacl IS NOT NULL')).rows
  }
  const leaseRoles = async (): Promise<readonly string[]> =>
    (await server.roles()).filter((role) => role.includes('_l_'))

  test('a lease can do what its capability says, and after its revocation nothing', async () => {
    const credential = await lease(READ)
    const session = await server.login(credential)
    expect((await session.query('SELECT email FROM customers')).rowCount).toBe(2)
    await expect(session.query("INSERT INTO customers (email) VALUES ('x')")).rejects.toThrow(
      'permission denied',
    )
    await expect(session.query('SELECT * FROM orders')).rejects.toThrow('permission denied')
    await expect(session.query('CREATE TABLE t (i int)')).rejects.toThrow('permission denied')
    await session.end()
    await issuer.revoke(credential.username, signal)
    expect(await leaseRoles()).toEqual([])
    await expect(server.login(credential)).rejects.toThrow('authentication failed')
  })

  test('a role has no attribute but LOGIN, one connection and an end', async () => {
    const credential = await lease(READ)
    const { rows } = await server.admin.query('SELECT * FROM pg_roles WHERE rolname = $1', [
      credential.username,
    ])
    expect(rows[0]).toMatchObject({
      rolcanlogin: true,
      rolsuper: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
      rolbypassrls: false,
      rolconnlimit: 1,
      rolconfig: null,
    })
    const first = await server.login(credential)
    await expect(server.login(credential)).rejects.toThrow('too many connections')
    await first.end()
    await issuer.revoke(credential.username, signal)
  })

  test('a role whose time is over cannot log in', async () => {
    const plan = issuer.plan(OWNER, 'lea_expired', READ, new Date(Date.now() - 1000))
    const credential = await issuer.issue(plan, signal)
    await expect(server.login(credential)).rejects.toThrow('authentication failed')
    expect(await issuer.list('ffffffff', signal)).toEqual([
      { handle: credential.username, expiresAt: plan.expiresAt },
    ])
    await issuer.revoke(credential.username, signal)
  })

  test('an INSERT may draw from the sequence of a serial column', async () => {
    const credential = await lease(WRITE)
    const session = await server.login(credential)
    await session.query("INSERT INTO customers (email) VALUES ('new@example.com')")
    await session.query('DELETE FROM customers WHERE false').catch(() => undefined)
    await session.end()
    await server.admin.query("DELETE FROM customers WHERE email = 'new@example.com'")
    await issuer.revoke(credential.username, signal)
  })

  test('a capability of some columns is just that, whatever somebody has made of its role', async () => {
    const some = capabilityOf([
      { verb: 'select', schema: 'public', table: 'customers', columns: ['email', 'id', 'gone', 'xmin'] },
      { verb: 'select', schema: 'public', table: 'orders', columns: ['id'] },
      { verb: 'update', schema: 'public', table: 'orders', columns: ['note'] },
      { verb: 'insert', schema: 'public', table: 'orders', columns: ['note'] },
    ])
    const credential = await lease(some)
    const session = await server.login(credential)
    expect((await session.query('SELECT email, id, xmin FROM customers')).rowCount).toBe(2)
    await session.query(
      "INSERT INTO orders (note) VALUES ('new'); UPDATE orders SET note = 'newer' WHERE id > 0",
    )
    await expect(session.query('SELECT note FROM orders')).rejects.toThrow('permission denied')
    await expect(session.query('UPDATE orders SET id = DEFAULT')).rejects.toThrow('permission denied')
    await expect(session.query('SELECT ctid FROM customers')).rejects.toThrow('permission denied')
    const holder = await holderOf(credential)
    await server.admin.query(`SET ROLE sallyport_issuer; GRANT SELECT ON orders TO ${holder};
      REVOKE SELECT (email) ON customers FROM ${holder}; GRANT UPDATE (email) ON customers TO ${holder}; RESET ROLE`)
    expect((await session.query('SELECT note FROM orders')).rowCount).toBe(1)
    await using restarted = new PostgresRoleIssuer(server.target)
    await restarted.issue(restarted.plan(OWNER, 'lea_columns', some, inAnHour()), signal)
    expect((await session.query('SELECT email FROM customers')).rowCount).toBe(2)
    expect((await session.query('SELECT id FROM orders')).rowCount).toBe(1)
    await expect(session.query('SELECT note FROM orders')).rejects.toThrow('permission denied')
    await expect(session.query("UPDATE customers SET email = ''")).rejects.toThrow('permission denied')
    await session.end()
    await server.admin.query('TRUNCATE orders')
    for (const role of await leaseRoles()) await issuer.revoke(role, signal)
    await issuer.tidy(OWNER, new Set(), signal)
    expect(JSON.stringify(await columnAcl())).not.toContain('sp_')
  })

  test('a live session gets another capability, and something on top for a while', async () => {
    const credential = await lease(READ)
    const session = await server.login(credential)
    const orders = capabilityOf([{ verb: 'select', schema: 'public', table: 'orders' }])
    const insert = capabilityOf([{ verb: 'insert', schema: 'public', table: 'customers' }])
    await issuer.assign(credential.username, READ, [orders], signal)
    expect((await session.query('SELECT FROM customers, orders')).rowCount).toBe(0)
    await session.query('BEGIN; SELECT FROM customers, orders')
    await issuer.assign(credential.username, orders, [], signal)
    await expect(session.query('SELECT FROM customers')).rejects.toThrow('permission denied')
    await session.query('ROLLBACK')
    expect((await session.query('SELECT FROM orders')).rowCount).toBe(0)
    await issuer.assign(credential.username, READ, [orders, insert], signal)
    await issuer.assign(credential.username, READ, [orders, insert], signal)
    await issuer.assign(credential.username, READ, [insert], signal)
    await session.query("INSERT INTO customers (email) VALUES ('x')")
    await expect(session.query('SELECT FROM orders')).rejects.toThrow('permission denied')
    await issuer.assign(credential.username, READ, [], signal)
    await expect(session.query("INSERT INTO customers (email) VALUES ('y')")).rejects.toThrow(
      'permission denied',
    )
    await session.end()
    await server.admin.query("DELETE FROM customers WHERE email = 'x'")
    await issuer.revoke(credential.username, signal)
    await expect(issuer.assign(credential.username, READ, [], signal)).rejects.toMatchObject({
      code: 'LEASE_FAILED',
    })
  })

  test('a membership that somebody gave a lease is taken away with the next assignment, or it fails', async () => {
    const credential = await lease(READ)
    await server.admin.query(`GRANT pg_read_all_data TO ${credential.username}`)
    // From PostgreSQL 16 on, CREATEROLE takes away only what it has given.
    const refused = await issuer.assign(credential.username, READ, [], signal).then(
      () => undefined,
      (error: unknown) => error,
    )
    const { rows } = await server.admin.query<{ has: boolean }>(
      `SELECT pg_has_role($1, 'pg_read_all_data', 'MEMBER') AS has`,
      [credential.username],
    )
    expect(rows).toEqual([{ has: refused !== undefined }])
    if (refused !== undefined) {
      expect(refused).toMatchObject({
        code: expect.stringMatching(/^(?:LEASE_FAILED|TARGET_ISSUER_FAILED)$/),
      })
    }
    await issuer.revoke(credential.username, signal)
  })

  test('what the account may not pass on is left out', async () => {
    const capability = capabilityOf([
      ...READ.grants,
      { verb: 'select', schema: 'public', table: 'secrets' },
      { verb: 'truncate', schema: 'public', table: 'customers' },
      { verb: 'maintain', schema: 'public', table: 'customers' },
      { verb: 'select', schema: 'public', table: 'dropped meanwhile' },
      { verb: 'select', schema: 'not there', table: 'customers' },
    ])
    const credential = await lease(capability)
    const session = await server.login(credential)
    expect((await session.query('SELECT FROM customers')).rowCount).toBe(2)
    await expect(session.query('SELECT FROM secrets')).rejects.toThrow('permission denied')
    await session.end()
    await issuer.revoke(credential.username, signal)
  })

  test.each([
    ['has SET ROLE to the capability', async (s, holder) => void (await s.query(`SET ROLE ${holder}`))],
    [
      'is idle in a transaction',
      async (s) => {
        await s.query('BEGIN')
        await s.query('SELECT FROM customers')
      },
    ],
    ['has a temporary table', async (s) => void (await s.query('CREATE TEMP TABLE t AS SELECT 1 AS i'))],
    ['has a prepared statement', async (s) => void (await s.query('PREPARE p AS SELECT 1'))],
    ['has a large object', async (s) => void (await s.query('SELECT lo_create(0)'))],
    [
      'has a default privilege',
      async (s) => void (await s.query('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC')),
    ],
    ['is running a query', async (s) => void s.query('SELECT pg_sleep(60)').catch(() => undefined)],
    [
      'is computing',
      async (s) => void s.query('SELECT count(*) FROM generate_series(1, 1000000000)').catch(() => undefined),
    ],
  ] as readonly [
    string,
    (session: Awaited<ReturnType<IssuerTarget['login']>>, holder: string) => Promise<void>,
  ][])('revocation ends a session that %s', async (_what, use) => {
    const credential = await lease(READ)
    const session = await server.login(credential)
    const ended = new Promise((resolve) => session.once('end', resolve))
    await use(session, await holderOf(credential))
    const began = performance.now()
    await issuer.revoke(credential.username, signal)
    await ended
    expect(performance.now() - began).toBeLessThan(2_000)
    expect(await leaseRoles()).toEqual([])
  })

  test('revoking twice at once, again, and what never was all succeed', async () => {
    const credential = await lease(READ)
    await Promise.all([1, 2, 3, 4].map(() => issuer.revoke(credential.username, signal)))
    await issuer.revoke(credential.username, signal)
    await issuer.revoke(`sp_${OWNER}_l_neverissued`, signal)
    expect(await leaseRoles()).toEqual([])
  })

  test("nobody's own role can be revoked", async () => {
    await expect(issuer.revoke('shop_owner', signal)).rejects.toMatchObject({ code: 'LEASE_FAILED' })
    await expect(issuer.revoke('sp_x"; DROP ROLE shop_owner; --', signal)).rejects.toMatchObject({
      code: 'LEASE_FAILED',
    })
  })

  test('issuing the same plan again takes the place of a role whose secret was lost', async () => {
    const plan = issuer.plan(OWNER, 'lea_again', READ, inAnHour())
    await issuer.issue(plan, signal)
    const credential = await issuer.issue(plan, signal)
    const session = await server.login(credential)
    await session.end()
    await issuer.revoke(credential.username, signal)
  })

  test('tables made by permission stay, belong to the capability, and can be granted on', async () => {
    const credential = await lease(CREATE)
    const session = await server.login(credential)
    await session.query('CREATE TABLE made AS SELECT 7 AS seven')
    await session.query('CREATE TEMP TABLE passing (i int)')
    await session.query('CREATE VIEW all_secrets AS SELECT id FROM secrets')
    await issuer.revoke(credential.username, signal)
    expect(await leaseRoles()).toEqual([])

    const { rows } = await server.admin.query<{ name: string; owner: string }>(
      `SELECT relname AS name, relowner::regrole::text AS owner FROM pg_class
       WHERE relname IN ('made', 'passing', 'all_secrets') ORDER BY 1`,
    )
    expect(rows.map(({ name }) => name)).toEqual(['all_secrets', 'made'])
    expect(rows[0]?.owner).toMatch(/^sp_0a1b2c3d_c_/)

    const reader = await lease(
      capabilityOf(['made', 'all_secrets'].map((table) => ({ verb: 'select', schema: 'public', table }))),
    )
    const reading = await server.login(reader)
    expect((await reading.query('SELECT seven FROM made')).rows).toEqual([{ seven: 7 }])
    // A view does only what its owner may: had it become the account's, every table would be open to its
    // maker.
    await expect(reading.query('SELECT * FROM all_secrets')).rejects.toThrow(
      'permission denied for table secrets',
    )
    await reading.end()
    await issuer.revoke(reader.username, signal)
    await server.admin.query('DROP VIEW all_secrets; DROP TABLE made')
  })

  test('what was made while there was permission for it stays when that ends before the lease', async () => {
    const tables: string[] = []
    for (const isInTransaction of [false, true]) {
      const { username, ...credential } = await lease(READ)
      await issuer.assign(username, READ, [CREATE], signal)
      const session = await server.login({ username, ...credential })
      const table = `lasting_${isInTransaction}`
      await session.query(`${isInTransaction ? 'BEGIN; ' : ''}CREATE TABLE ${table} AS SELECT 7 AS seven`)
      await issuer.assign(username, READ, [], signal)
      if (isInTransaction) await session.query('COMMIT')
      await issuer.tidy(OWNER, new Set(), signal)
      await session.end()
      await issuer.revoke(username, signal)
      tables.push(table)
    }
    expect(await leaseRoles()).toEqual([])
    const { rows } = await server.admin.query<{ name: string; owner: string }>(
      'SELECT relname AS name, relowner::regrole::text AS owner FROM pg_class WHERE relname = ANY($1) ORDER BY 1',
      [tables],
    )
    expect(rows.map(({ name }) => name)).toEqual(tables)
    for (const { owner } of rows) expect(owner).toMatch(/^sp_0a1b2c3d_c_/)
    await server.admin.query(`DROP TABLE ${tables.join(', ')}`)
    await issuer.tidy(OWNER, new Set(), signal)
    expect(await server.roles()).toEqual([])
  })

  test('names are taken as they are', async () => {
    const schema = `we"ird.sch'éma`
    const table = `t"; DROP TABLE customers; -- .ü`
    const quoted = `${identifier(schema)}.${identifier(table)}`
    await server.admin.query(`
      CREATE SCHEMA ${identifier(schema)};
      CREATE TABLE ${quoted} (${identifier(`c"o'l`)} serial);
      GRANT USAGE ON SCHEMA ${identifier(schema)} TO sallyport_issuer WITH GRANT OPTION;
      GRANT SELECT, INSERT ON ${quoted} TO sallyport_issuer WITH GRANT OPTION;
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${identifier(schema)} TO sallyport_issuer WITH GRANT OPTION`)
    const catalog = await issuer.catalog(signal)
    expect(catalog.relations.find((relation) => relation.schema === schema)).toMatchObject({
      name: table,
      columns: [{ name: `c"o'l`, type: 'integer', nullable: false }],
      sequences: [{ schema }],
    })
    const credential = await lease(
      capabilityOf([
        { verb: 'insert', schema, table },
        { verb: 'select', schema, table },
      ]),
    )
    const session = await server.login(credential)
    await session.query(`INSERT INTO ${quoted} DEFAULT VALUES`)
    expect((await session.query(`SELECT FROM ${quoted}`)).rowCount).toBe(1)
    await session.end()
    await issuer.revoke(credential.username, signal)
  })

  test('200 leases, 64 at a time, leave every ACL as long as it was', async () => {
    await issuer.revoke((await lease(READ)).username, signal)
    const before = await acl()
    let left = 200
    await Promise.all(
      Array.from({ length: 64 }, async () => {
        while (left-- > 0) await issuer.revoke((await lease(READ)).username, signal)
      }),
    )
    expect(await leaseRoles()).toEqual([])
    expect(await acl()).toEqual(before)
  })

  test('as many capabilities of one table as there may be at once leave nothing behind', async () => {
    const verbs: readonly Verb[] = ['select', 'insert', 'update', 'delete']
    const columns = ['id', 'email'] as const
    await issuer.tidy(OWNER, new Set(), signal)
    const before = await acl()
    const all = Array.from({ length: 256 }, (_, i) => {
      const grants = verbs.flatMap((verb, bit) => {
        const how = (i >> (bit * 2)) & 3
        const on = { verb, schema: 'public', table: 'customers' }
        if (how === 0) return []
        if (how === 3 || verb === 'delete') return [on]
        return [{ ...on, columns: [columns[how - 1] ?? 'id'] }]
      })
      return capabilityOf(grants, i % 2 === 0 ? [] : ['public'])
    })
    const credential = await lease(READ)
    for (const capability of all) await issuer.assign(credential.username, capability, [], signal)
    const session = await server.login(credential)
    await expect(session.query('SELECT note FROM orders')).rejects.toThrow('permission denied')
    await session.end()
    await issuer.revoke(credential.username, signal)
    await issuer.tidy(OWNER, new Set(), signal)
    expect(await server.roles()).toEqual([])
    expect(await acl()).toEqual(before)
    expect(JSON.stringify(await columnAcl())).not.toContain('sp_')
  })

  test('many capabilities are made at once by several gateways', async () => {
    await using second = new PostgresRoleIssuer(server.target)
    const verbs: readonly Verb[] = ['select', 'insert', 'update', 'delete']
    const capabilities = verbs.map((verb) =>
      capabilityOf(['customers', 'orders'].map((table) => ({ verb, schema: 'public', table }))),
    )
    const credentials = await Promise.all(
      [issuer, second].flatMap((by, i) =>
        capabilities.map((capability, j) =>
          by.issue(by.plan(OWNER, `lea_many${i}${j}`, capability, inAnHour()), signal),
        ),
      ),
    )
    await Promise.all(credentials.map(({ username }) => second.revoke(username, signal)))
    expect(await leaseRoles()).toEqual([])
  })

  test('a capability role that somebody dropped is made again', async () => {
    const capability = capabilityOf([{ verb: 'select', schema: 'public', table: 'emails' }])
    const first = await lease(capability)
    await issuer.revoke(first.username, signal)
    await using other = new PostgresRoleIssuer(server.target)
    expect(await other.tidy(OWNER, new Set(), signal)).toBeGreaterThan(0)
    expect(await issuer.tidy(OWNER, new Set(), signal)).toBe(0)
    const second = await lease(capability)
    const session = await server.login(second)
    expect((await session.query('SELECT FROM emails')).rowCount).toBe(2)
    await session.end()
    await issuer.revoke(second.username, signal)
  })

  test('grants are mended at the first use after a start, and after the catalog has changed', async () => {
    const used = await lease(READ)
    const holder = await holderOf(used)
    await issuer.revoke(used.username, signal)
    await server.admin.query(`SET ROLE sallyport_issuer`)
    await server.admin.query(`GRANT SELECT ON orders TO ${holder}; REVOKE SELECT ON customers FROM ${holder}`)
    await server.admin.query('RESET ROLE')
    await using restarted = new PostgresRoleIssuer(server.target)
    const credential = await restarted.issue(restarted.plan(OWNER, 'lea_mended', READ, inAnHour()), signal)
    const session = await server.login(credential)
    expect((await session.query('SELECT FROM customers')).rowCount).toBe(2)
    await expect(session.query('SELECT FROM orders')).rejects.toThrow('permission denied')
    await session.end()
    await restarted.revoke(credential.username, signal)
  })

  test.each([
    ['an attribute', 'ALTER ROLE $ CREATEDB', 'ALTER ROLE $ NOCREATEDB'],
    ['a membership', 'GRANT pg_read_all_data TO $', 'REVOKE pg_read_all_data FROM $'],
    ['a column', 'GRANT SELECT (id) ON secrets TO $', 'REVOKE SELECT (id) ON secrets FROM $'],
    [
      'a column to pass on',
      'GRANT SELECT (id) ON customers TO $ WITH GRANT OPTION',
      'REVOKE SELECT (id) ON customers FROM $',
    ],
    ['a privilege of another grantor', 'GRANT SELECT ON secrets TO $', 'REVOKE SELECT ON secrets FROM $'],
  ])('a capability role that somebody gave %s is refused', async (_what, change, back) => {
    const used = await lease(READ)
    const holder = await holderOf(used)
    await issuer.revoke(used.username, signal)
    await server.admin.query(change.replace('$', holder))
    await using restarted = new PostgresRoleIssuer(server.target)
    const issuing = restarted.issue(restarted.plan(OWNER, 'lea_beyond', READ, inAnHour()), signal)
    await expect(issuing).rejects.toMatchObject({
      code: 'TARGET_ISSUER_FAILED',
      message: expect.stringContaining('can do more than policy permits'),
    })
    await server.admin.query(back.replace('$', holder))
    expect(await leaseRoles()).toEqual([])
  })

  const canRead = async (credential: Credential, table: string): Promise<boolean> => {
    const { rows } = await server.admin.query<{ can: boolean }>(
      "SELECT has_table_privilege($1, $2, 'SELECT') AS can",
      [credential.username, table],
    )
    return rows[0]?.can ?? false
  }

  test.each(['read committed', 'repeatable read'])(
    "a lease that is made or changed while its capability's role is dropped as unused can do what it says, under %s",
    async (isolation) => {
      await server.admin.query(
        `ALTER DATABASE ${identifier(server.target.database)} SET default_transaction_isolation = '${isolation}'`,
      )
      const more = capabilityOf([{ verb: 'select', schema: 'public', table: 'orders' }])
      const able: boolean[] = []
      await using maker = new PostgresRoleIssuer(server.target)
      await using tidier = new PostgresRoleIssuer(server.target)
      for (let round = 0; round < 60; round++) {
        const made = tidier.tidy(OWNER, new Set(), signal)
        await sleep(round % 10)
        const plan = maker.plan(OWNER, `lea_race${round}`, READ, inAnHour())
        const credential = await maker.issue(plan, signal)
        await made
        able.push(await canRead(credential, 'customers'))
        await maker.assign(credential.username, READ, [more], signal)
        await maker.assign(credential.username, READ, [], signal)
        const changed = tidier.tidy(OWNER, new Set(), signal)
        await sleep(round % 10)
        await maker.assign(credential.username, READ, [more], signal)
        await changed
        able.push(await canRead(credential, 'orders'))
        await maker.revoke(credential.username, signal)
      }
      await server.admin.query(
        `ALTER DATABASE ${identifier(server.target.database)} RESET default_transaction_isolation`,
      )
      expect(able).not.toContain(false)
    },
  )

  test('a table that is dropped while a role is given its grants is left out', async () => {
    const flash = capabilityOf([...READ.grants, { verb: 'select', schema: 'public', table: 'flash' }])
    const { username } = await lease(READ)
    const stop = new AbortController()
    const migration = (async () => {
      // Its own statements may meet the issuer's, too.
      const attempt = (sql: string): Promise<unknown> => server.admin.query(sql).catch(() => undefined)
      while (!stop.signal.aborted) {
        await attempt('CREATE TABLE flash (i int)')
        await attempt('GRANT SELECT ON flash TO sallyport_issuer WITH GRANT OPTION')
        await sleep(Math.random() * 6)
        await attempt('DROP TABLE flash')
        await sleep(10 + Math.random() * 20)
      }
      await server.admin.query('DROP TABLE IF EXISTS flash')
    })()
    for (let round = 0; round < 60; round++) {
      // As after every change of the catalog, what is granted is compared again.
      await issuer.catalog(signal)
      await issuer.assign(username, flash, [], signal)
      await issuer.assign(username, READ, [], signal)
    }
    stop.abort()
    await migration
    await issuer.revoke(username, signal)
  })

  test('a connection that breaks in the middle of a statement costs that statement, and nothing else', async () => {
    const sockets: Socket[] = []
    const between = createServer((client) => {
      const target = connect(server.target.address.port, server.target.address.host)
      for (const socket of [client, target]) sockets.push(socket.on('error', () => undefined))
      client.pipe(target).pipe(client)
    })
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
    const { port } = between.address() as AddressInfo
    await using cut = new PostgresRoleIssuer({ ...server.target, address: { host: '127.0.0.1', port } })
    await issuer.revoke((await lease(READ)).username, signal)
    await server.admin.query('SELECT pg_advisory_lock(1396788556, 2)')
    const issuing = cut.issue(cut.plan(OWNER, 'lea_cut', READ, inAnHour()), signal)
    const failed = expect(issuing).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' })
    const held = "SELECT FROM pg_locks WHERE locktype = 'advisory'"
    await expect.poll(async () => (await server.admin.query(`${held} AND NOT granted`)).rowCount).toBe(1)
    for (const socket of sockets) socket.destroy()
    await failed
    between.close()
    await server.admin.query('SELECT pg_advisory_unlock(1396788556, 2)')
    // What was on its way may still come true; it holds the lock until it has.
    await expect.poll(async () => (await server.admin.query(held)).rowCount).toBe(0)
    await issuer.revoke((await lease(READ)).username, signal)
    await issuer.revoke(cut.plan(OWNER, 'lea_cut', READ, inAnHour()).handle, signal)
  })

  test('somebody at work on an unused role keeps neither the other unused roles nor new leases', async () => {
    for (const capability of [READ, WRITE]) await issuer.revoke((await lease(capability)).username, signal)
    const unused = await server.roles()
    const first = await lease(CREATE)
    await server.admin.query(`BEGIN; COMMENT ON ROLE ${unused[0] ?? ''} IS 'mine'`)
    const [dropped, second] = await Promise.all([issuer.tidy(OWNER, new Set(), signal), lease(CREATE)])
    expect(dropped).toBe(unused.length - 1)
    await server.admin.query('ROLLBACK')
    for (const { username } of [first, second]) await issuer.revoke(username, signal)
    await issuer.tidy(OWNER, new Set(), signal)
    expect(await server.roles()).toEqual([])
  })

  test('tidying leaves roles that are kept or have members', async () => {
    const used = await lease(READ)
    await issuer.revoke((await lease(WRITE)).username, signal)
    await issuer.tidy(OWNER, new Set([WRITE.hash]), signal)
    expect(await issuer.tidy(OWNER, new Set(), signal)).toBe(1)
    await issuer.revoke(used.username, signal)
    expect(await issuer.tidy(OWNER, new Set(), signal)).toBe(1)
    expect(await server.roles()).toEqual([])
  })

  test('the secret is in no log and no view of the target', async () => {
    const credential = await lease(READ)
    const session = await server.login(credential)
    const { rows } = await server.admin.query('SELECT query FROM pg_stat_activity')
    expect(JSON.stringify(rows)).not.toContain(credential.secret.reveal())
    await session.end()
    await issuer.revoke(credential.username, signal)
    const log = await readFile(server.logFile, 'utf8')
    expect(log).toContain(credential.username)
    expect(log).not.toContain(credential.secret.reveal())
  })
})
