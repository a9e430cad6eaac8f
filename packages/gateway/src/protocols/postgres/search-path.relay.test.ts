import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { installedPostgres, type TargetPostgres } from '../../../../../test/harness/postgres.ts'
import { catalogOf, tableOf } from '../../access/catalog.fixture.ts'
import type { Target } from '../../access/model.ts'
import { RawClient, TestGateway } from './gateway.fixture.ts'
import { gatewayCertificate, startLeasedTarget } from './lease.fixture.ts'
import { StatementReader } from './parser.ts'
import { client as wire, type Frame } from './wire.fixture.ts'

const CATALOG = catalogOf(
  [tableOf('open.t', ['v']), tableOf('shut.t', ['v']), tableOf('public.other', ['v'])],
  {
    schemas: ['open', 'public', 'shut'],
  },
)

const DENIED = 'select is forbidden'
const ABORTED = 'current transaction is aborted, commands ignored until end of transaction block'

const certificate = gatewayCertificate()

/** PostgreSQL reports its search path from 18 on; an older one has to be asked. */
const SERVERS = [
  { name: 'that reports its search path', of: undefined, skip: false },
  {
    name: 'that has to be asked (skipped where none is installed)',
    of: installedPostgres(),
    skip: installedPostgres() === undefined,
  },
]

describe.each(SERVERS)('on a server $name', ({ of, skip }) => {
  if (skip) return it.skip('there is none', () => undefined)
  let server: TargetPostgres
  let target: Target
  let gateway: TestGateway
  let reader: StatementReader
  let client: pg.Client
  beforeAll(async () => {
    reader = new StatementReader({ threads: 1, deadlineMs: 20_000 })
    ;({ server, target } = await startLeasedTarget(of?.binaries && { binaries: of.binaries }))
    const admin = await server.client()
    await admin.query(`CREATE SCHEMA open; CREATE TABLE open.t AS SELECT 'open' AS v;
    CREATE SCHEMA shut; CREATE TABLE shut.t AS SELECT 'shut' AS v;
    CREATE TABLE public.other AS SELECT 'other' AS v;
    CREATE FUNCTION public.moves() RETURNS text LANGUAGE sql AS $$ SELECT set_config('search_path', 'shut', false) $$;
    GRANT USAGE ON SCHEMA open, shut TO lease; GRANT SELECT ON open.t, shut.t, public.other TO lease`)
  })
  afterAll(async () => {
    await reader.close()
    await server.stop()
  })
  beforeEach(async () => {
    gateway = await TestGateway.start(target, certificate, reader)
    client = await gateway.client()
    // Nobody may read shut.t, although the role could.
    gateway.session.guard.replaceCatalog(CATALOG)
    gateway.session.guard.forbidden.add('shut.t')
  })
  afterEach(async () => {
    await gateway[Symbol.asyncDispose]()
  })

  /** What one statement gives: the first value of its first row, or why not. */
  async function value(sql: string, values?: readonly string[]): Promise<unknown> {
    try {
      const results: unknown = await client.query({
        text: sql,
        values: [...(values ?? [])],
        rowMode: 'array',
      })
      const last = (Array.isArray(results) ? results.at(-1) : results) as { rows: unknown[][] }
      return last.rows[0]?.[0]
    } catch (error) {
      return (error as Error).message.replace(/^denied by policy: /, '')
    }
  }

  describe('bare names after the search path was changed', () => {
    it.each([
      ['SET', ['SET search_path = shut', 'SET search_path = open'], 'open'],
      ['SET to what is forbidden', ['SET search_path = open', 'SET search_path = shut'], DENIED],
      ['set_config', ["SELECT set_config('search_path', 'shut, open', false)"], DENIED],
      [
        'SET LOCAL outside of a transaction',
        ['SET search_path = open', 'SET LOCAL search_path = shut'],
        'open',
      ],
      ['SET LOCAL', ['SET search_path = open', 'BEGIN', 'SET LOCAL search_path = shut'], DENIED],
      [
        'the end of the transaction of a SET LOCAL',
        ['SET search_path = open', 'BEGIN', 'SET LOCAL search_path = shut', 'COMMIT'],
        'open',
      ],
      ['COMMIT', ['BEGIN', 'SET search_path = shut', 'SET search_path = open', 'COMMIT'], 'open'],
      ['ROLLBACK', ['SET search_path = open', 'BEGIN', 'SET search_path = shut', 'ROLLBACK'], 'open'],
      [
        'ROLLBACK to what is forbidden',
        ['SET search_path = shut', 'BEGIN', 'SET search_path = open', 'ROLLBACK'],
        DENIED,
      ],
      [
        'ROLLBACK TO',
        ['SET search_path = shut', 'BEGIN', 'SAVEPOINT s', 'SET search_path = open', 'ROLLBACK TO s'],
        DENIED,
      ],
      ['RELEASE', ['BEGIN', 'SAVEPOINT s', 'SET search_path = open', 'RELEASE s'], 'open'],
      [
        'a failed transaction',
        ['SET search_path = open', 'BEGIN', 'SET search_path = shut', 'SELECT 1/0', 'COMMIT'],
        'open',
      ],
      ['RESET', ['SET search_path = shut', 'RESET search_path', 'SET search_path = open'], 'open'],
      ['a function', ['SET search_path = open', 'SELECT public.moves()'], DENIED],
      ['DISCARD ALL', ['SET search_path = shut', 'DISCARD ALL'], 'relation "t" does not exist'],
      ['one SET of several in a query', ['SET search_path = open; SET search_path = shut'], DENIED],
      [
        'an error after SET in one query',
        ['SET search_path = open', 'SET search_path = shut; SELECT 1/0'],
        'open',
      ],
    ])('%s: t is the one that the target reads', async (_, before, expected) => {
      for (const sql of before) await client.query(sql).catch(() => undefined)
      expect(await value('SELECT v FROM t')).toBe(expected)
      // The extended protocol sees the same.
      const again = await value('SELECT v FROM t WHERE v <> $1', ['x'])
      // A denial fails the transaction, and takes back what was set in it.
      expect(expected === DENIED ? [DENIED, ABORTED] : [expected]).toContain(again)
    })

    it('are still decided when the transaction that changed them ends within the same query', async () => {
      await client.query('SET search_path = shut')
      await client.query('BEGIN')
      await client.query('SET search_path = open')
      expect(await value('SELECT v FROM t')).toBe('open')
      expect(await value('ROLLBACK; SELECT v FROM t')).toBe(DENIED)
    })

    it('must be permitted under the old path and the new one within one query', async () => {
      expect(await value('SET search_path = open; SELECT v FROM t')).toBe('open')
      expect(await value('SET search_path = shut; SELECT v FROM t')).toBe(DENIED)
    })

    it('that were prepared are looked at again when they run', async () => {
      await client.query('SET search_path = open')
      const prepared = { name: 'p', text: 'SELECT v FROM t' }
      expect((await client.query(prepared)).rows).toEqual([{ v: 'open' }])
      await client.query('SET search_path = shut')
      await expect(client.query(prepared)).rejects.toThrow(DENIED)
      await client.query('SET search_path = open')
      expect((await client.query(prepared)).rows).toEqual([{ v: 'open' }])
    })

    it('that were prepared are read again when the catalog has changed', async () => {
      const { guard } = gateway.session
      await client.query('SET search_path = open, shut')
      const prepared = { name: 'p', text: 'SELECT v FROM t' }
      expect((await client.query(prepared)).rows).toEqual([{ v: 'open' }])
      await client.query('PREPARE q AS SELECT v FROM t')
      // As if somebody had dropped open.t: the same name is then that of shut.t.
      guard.replaceCatalog({
        ...CATALOG,
        version: 'without open.t',
        relations: CATALOG.relations.filter(({ schema }) => schema !== 'open'),
      })
      await expect(client.query(prepared)).rejects.toThrow(DENIED)
      expect(await value('EXECUTE q')).toBe(DENIED)
      guard.replaceCatalog(CATALOG)
      expect((await client.query(prepared)).rows).toEqual([{ v: 'open' }])
    })

    it('behind SQL PREPARE too', async () => {
      await client.query('SET search_path = open; PREPARE p AS SELECT v FROM t')
      expect(await value('EXECUTE p')).toBe('open')
      await client.query('SET search_path = shut')
      expect(await value('EXECUTE p')).toBe(DENIED)
    })

    it('are the same for the query of a cursor as when it was declared', async () => {
      await client.query('SET search_path = open')
      await client.query('BEGIN')
      await client.query('DECLARE c CURSOR FOR SELECT v FROM t')
      await client.query('SET LOCAL search_path = shut')
      expect(await value('FETCH c')).toBe('open')
      await client.query('CLOSE c')
      expect(await value('FETCH c')).toBe('there is no cursor "c" that this session has declared')
    })
  })

  describe('a pipeline', () => {
    const values = (messages: readonly Frame[]) =>
      messages.flatMap(({ type, body }) => (type === 'D' ? [body.subarray(6).toString()] : []))

    it('in which the search path changes is decided under all that it can be', async () => {
      using raw = await RawClient.dial(gateway.port)
      await raw.logIn()
      gateway.session.guard.replaceCatalog(CATALOG)
      gateway.session.guard.forbidden.add('shut.t')
      raw.send(
        wire.query('SET search_path = open'),
        wire.query('SET search_path = shut'),
        wire.query('SELECT v FROM t'),
      )
      const answers = [await raw.until('Z'), await raw.until('Z'), await raw.until('Z')]
      expect(values(answers.flat())).toEqual([])
      expect(answers[2]?.some(({ type }) => type === 'E')).toBe(true)
      // What the client is sent for its own messages, and nothing of the gateway's question.
      raw.send(wire.query('SET search_path = open'))
      expect((await raw.until('Z')).map(({ type }) => type).join('')).toMatch(/^S?CS?Z$/)
      raw.send(wire.query('SELECT v FROM t'))
      expect((await raw.until('Z')).map(({ type }) => type).join('')).toBe('TDCZ')
    })

    it('of the extended protocol keeps the unnamed statement over the question', async () => {
      using raw = await RawClient.dial(gateway.port)
      await raw.logIn()
      gateway.session.guard.replaceCatalog(CATALOG)
      raw.send(wire.parse('', 'SELECT v FROM other'), wire.sync)
      await raw.until('Z')
      raw.send(
        wire.parse('set', 'SET search_path = open, public'),
        wire.bind('', 'set'),
        wire.execute(''),
        wire.sync,
      )
      await raw.until('Z')
      raw.send(wire.bind('', ''), wire.execute(''), wire.sync)
      expect(values(await raw.until('Z'))).toEqual(['other'])
    })
  })
})
