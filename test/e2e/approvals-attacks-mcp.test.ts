import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { APPROVAL_POLICIES } from '../harness/approval-policies.ts'
import type { GatewayAccess } from '../harness/gateway-access.ts'
import { type GatewayProcess, startGatewayProcess } from '../harness/gateway-process.ts'
import { startTestWorld, type TestWorld, type TokenWish } from '../harness/test-world.ts'
import { until } from '../harness/until.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 })

/** A scripted attacker: an agent whose one statement was approved, and who wants more than that. */
const AGENT: TokenWish = { actingFor: 'ana', groups: ['agents'] }
const SQL = 'DELETE FROM notes WHERE id = $1'
const APPROVED = { target: 'shop', sql: SQL, params: ['1'] }

let world: TestWorld
let gateway: GatewayProcess
let superuser: pg.Client

beforeAll(async () => {
  world = await startTestWorld({
    policies: APPROVAL_POLICIES,
    settings: { approvals: { hold: '1s' } },
    prepare: async (shop, target) => {
      // The same table on another target, where nothing but the gateway is in the way.
      const other = await target.client('other')
      await other.query('CREATE TABLE notes (id int, text text); GRANT ALL ON notes TO PUBLIC')
      await other.end()

      await shop.query(`
        CREATE SCHEMA evil;
        CREATE SCHEMA kept;
        CREATE TABLE evil.notes (id int PRIMARY KEY, text text);
        GRANT ALL ON ALL TABLES IN SCHEMA evil TO sallyport_issuer WITH GRANT OPTION;
        GRANT ALL ON SCHEMA evil TO sallyport_issuer WITH GRANT OPTION`)
    },
  })
  gateway = await startGatewayProcess(world)
  superuser = await world.target.client('shop')
  // A lock that somebody has left is a failure, and not a silence.
  await superuser.query("SET lock_timeout = '10s'")
})
afterAll(async () => {
  await superuser.end()
  await gateway[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await superuser.query(`TRUNCATE notes, evil.notes;
    INSERT INTO notes VALUES (1, 'one'), (2, 'two');
    INSERT INTO evil.notes SELECT * FROM notes`)
})

const open: Client[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()))
  // What one test was granted is nothing that the next may find.
  const approvals = await dba()
  for (const state of ['pending', 'granted'] as const) {
    for (const { id } of (await approvals.list({ state, limit: 500 })).approvals) {
      await approvals.revoke(id, { reason: 'the test is over' })
    }
  }
})

/** What is left of both tables: nothing else tells whether something ran. */
async function left(): Promise<string> {
  const rows = async (table: string): Promise<string> =>
    (await superuser.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`)).rows
      .map(({ id }) => id)
      .join()
  return `${await rows('public.notes')} | ${await rows('evil.notes')}`
}

interface Answer {
  readonly decision: string
  readonly approval?: { readonly id: string }
}

async function agent(
  access: GatewayAccess,
  wish = AGENT,
  name = 'helper',
): Promise<(args: object) => Promise<Answer>> {
  const token = await world.token(name, wish)
  const client = new Client({ name: 'attacker', version: '1' })
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', access.url), { requestInit }))
  open.push(client)
  return async (args) => {
    const result = await client.callTool({ name: 'query', arguments: { ...args } })
    const { decision, approval } = result.structuredContent as {
      readonly decision: { readonly effect: string }
      readonly approval?: { readonly id: string }
    }
    // What the target itself refuses, with an error of its own, was permitted and did not run.
    const outcome = result.isError === true && decision.effect === 'permit' ? 'failed' : decision.effect
    return { decision: outcome, ...(approval === undefined ? {} : { approval }) }
  }
}

const dba = async () => (await gateway.access.api('bo', { groups: ['dba'] })).approvals

/** Has the agent ask, and a person approve just that. */
async function approvedOnce(query: (args: object) => Promise<Answer>): Promise<string> {
  const answer = await query(APPROVED)
  expect(answer).toMatchObject({ decision: 'pending' })
  const id = answer.approval?.id ?? ''
  await (await dba()).approve(id, { reason: 'this one row' })
  return id
}

test('what was approved runs once, and then asks again', async () => {
  const query = await agent(gateway.access)
  const id = await approvedOnce(query)
  expect(await left()).toBe('1,2 | 1,2')
  expect(await query(APPROVED)).toMatchObject({ decision: 'permit' })
  expect(await left()).toBe('2 | 1,2')
  await superuser.query("INSERT INTO notes VALUES (1, 'one')")
  const again = await query(APPROVED)
  expect(again).toMatchObject({ decision: 'pending' })
  expect(again.approval?.id).not.toBe(id)
  expect(await left()).toBe('1,2 | 1,2')
})

describe('nothing else runs on it', () => {
  test.each<[string, object]>([
    ['NULL in its place', { ...APPROVED, params: [null] }],
    ['the value in the text', { target: 'shop', sql: 'DELETE FROM notes WHERE id = 1' }],
    ['a comment', { ...APPROVED, sql: `${SQL} /* approved */` }],
    ['another target', { ...APPROVED, target: 'other' }],
    [
      'a second statement behind it',
      { target: 'shop', sql: 'DELETE FROM notes WHERE id = 1; DELETE FROM notes' },
    ],
    ['all that it reads, hidden in a CTE', { ...APPROVED, sql: `WITH x AS (DELETE FROM notes) ${SQL}` }],
  ])('%s', async (_, args) => {
    const query = await agent(gateway.access)
    const id = await approvedOnce(query)
    const answer = await query(args)
    expect(answer.decision).not.toBe('permit')
    expect(answer.approval?.id).not.toBe(id)
    expect(await left()).toBe('1,2 | 1,2')
  })

  test.each<[string, TokenWish, string]>([
    ['the same agent for somebody else', { ...AGENT, actingFor: 'omar' }, 'helper'],
    ['another agent of the same person', AGENT, 'second-helper'],
    ['the person themselves', { groups: ['agents'] }, 'ana'],
  ])('from %s', async (_, wish, name) => {
    const id = await approvedOnce(await agent(gateway.access))
    const answer = await (await agent(gateway.access, wish, name))(APPROVED)
    expect(answer).toMatchObject({ decision: 'pending' })
    expect(answer.approval?.id).not.toBe(id)
    expect(await left()).toBe('1,2 | 1,2')
  })

  test('on the wire, with another search path', async () => {
    const id = await approvedOnce(await agent(gateway.access))
    const client = await gateway.access.connect('helper', AGENT)
    await client.query('SET search_path = evil, public')
    const running = client.query(SQL, ['1']).catch(() => undefined)
    const asked = await until('it is asked about as what it is', async () => {
      const { approvals } = await (await dba()).list({ state: 'pending' })
      return approvals.find(({ operations }) => operations.includes('delete evil.notes'))
    })
    expect(asked.id).not.toBe(id)
    await (await dba()).deny(asked.id, { reason: 'not that one' })
    await running
    await client.end()
    expect(await left()).toBe('1,2 | 1,2')
  })
})

test('a crash between the approval and the call changes nothing: it is used once, by the same call', async () => {
  const asked = await (await agent(gateway.access))(APPROVED)
  await Promise.all(open.splice(0).map((client) => client.close()))
  await gateway.crash()
  gateway = await startGatewayProcess(world)
  await (await dba()).approve(asked.approval?.id ?? '', { reason: 'after the crash' })
  await gateway.crash()
  gateway = await startGatewayProcess(world)
  const query = await agent(gateway.access)
  expect((await query({ ...APPROVED, params: ['2'] })).decision).toBe('pending')
  expect(await query(APPROVED)).toMatchObject({ decision: 'permit' })
  expect(await left()).toBe('2 | 1,2')
  await superuser.query("INSERT INTO notes VALUES (1, 'one')")
  expect(await query(APPROVED)).toMatchObject({ decision: 'pending' })
})

// Last, for the gateway sees what they change a moment later, and what is asked in between counts no more.
describe('nothing runs on it either', () => {
  test('after the table behind the name was swapped', async () => {
    const query = await agent(gateway.access)
    await approvedOnce(query)
    await superuser.query(
      'ALTER TABLE public.notes SET SCHEMA kept; ALTER TABLE evil.notes SET SCHEMA public',
    )
    try {
      expect((await query(APPROVED)).decision).not.toBe('permit')
      const { rows } = await superuser.query('SELECT id FROM public.notes')
      expect(rows).toHaveLength(2)
    } finally {
      await superuser.query(
        'ALTER TABLE public.notes SET SCHEMA evil; ALTER TABLE kept.notes SET SCHEMA public',
      )
    }
  })

  test('once a trigger hangs on the table', async () => {
    const query = await agent(gateway.access)
    await approvedOnce(query)
    await superuser.query(`
      CREATE FUNCTION emptied() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM evil.notes; RETURN NULL; END';
      CREATE TRIGGER emptied AFTER DELETE ON notes FOR EACH STATEMENT EXECUTE FUNCTION emptied()`)
    try {
      expect((await query(APPROVED)).decision).not.toBe('permit')
      expect(await left()).toBe('1,2 | 1,2')
    } finally {
      await superuser.query('DROP TRIGGER emptied ON notes; DROP FUNCTION emptied')
    }
  })
})
