import { Client as McpClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Client as ApiClient } from '@sallyport/api'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { APPROVAL_POLICIES } from '../harness/approval-policies.ts'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { until } from '../harness/until.ts'

// What somebody tries who wants a statement to run that nobody has approved. None of it may.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 180_000 })

const AGENT = { actingFor: 'ana', groups: ['agents'] }
const YES = { reason: 'looked at it' }
const DELETE = 'DELETE FROM notes WHERE id = $1'

let gateway: TestGateway
let dba: ApiClient
let superuser: pg.Client

beforeAll(async () => {
  gateway = await startTestGateway({
    policies: `${APPROVAL_POLICIES}
      @id("admins-administer")
      permit (principal in Group::"admins", action in Action::"administer", resource == Gateway::"sallyport");`,
    settings: { approvals: { hold: '300ms' } },
    prepare: async (shop) => {
      await shop.query(`
        CREATE SCHEMA evil;
        CREATE TABLE evil.notes (id int PRIMARY KEY, text text);
        GRANT ALL ON ALL TABLES IN SCHEMA evil, public TO sallyport_issuer WITH GRANT OPTION;
        GRANT USAGE ON SCHEMA evil TO sallyport_issuer WITH GRANT OPTION`)
    },
  })
  dba = await gateway.access.api('bo', { groups: ['dba'] })
  superuser = await gateway.target.client('shop')
})
afterAll(async () => {
  expect(gateway.errors).toEqual([])
  await gateway[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await superuser.query(`TRUNCATE notes, evil.notes;
    INSERT INTO notes VALUES (1, 'one'), (2, 'two'), (3, 'three');
    INSERT INTO evil.notes SELECT * FROM notes`)
})

const open: McpClient[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close().catch(() => undefined)))
  await gateway.access.endClients()
  // No test leaves anything for the next one to use.
  for (const state of ['pending', 'granted'] as const) {
    const { approvals } = await dba.approvals.list({ state })
    for (const { id } of approvals)
      await dba.approvals.revoke(id, { reason: 'the test is over' }).catch(() => undefined)
  }
})

async function mcp(): Promise<McpClient> {
  const token = await gateway.token('insight-agent', AGENT)
  const client = new McpClient({ name: 'test', version: '1' })
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(
    new StreamableHTTPClientTransport(new URL('/mcp', gateway.access.url), { requestInit }),
  )
  open.push(client)
  return client
}

interface Answer {
  readonly decision: { readonly effect: string }
  readonly rowCount: number
  readonly approval?: { readonly id: string }
}

async function call(sql: string, params: readonly unknown[] = [], target = 'shop'): Promise<Answer> {
  const client = await mcp()
  const result = await client.callTool({ name: 'query', arguments: { target, sql, params: [...params] } })
  return result.structuredContent as never
}

/** An agent's statement, approved and not run yet. */
async function approved(sql = DELETE, params: readonly unknown[] = [1]): Promise<string> {
  const { approval } = await call(sql, params)
  if (approval === undefined) throw new Error('nobody was asked')
  await dba.approvals.approve(approval.id, YES)
  return approval.id
}

const agent = (): Promise<pg.Client> => gateway.access.connect('insight-agent', AGENT)
const notes = async (table = 'notes'): Promise<string> =>
  (await superuser.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`)).rows
    .map(({ id }) => id)
    .join()

/** It is asked about anew, and so has not run. */
async function waitsAgain(running: Promise<unknown>, before: string): Promise<void> {
  running.catch(() => undefined)
  const id = await until('it is asked about anew', async () => {
    const { approvals } = await dba.approvals.list({ state: 'pending' })
    return approvals.find((one) => one.id !== before)?.id
  })
  expect((await dba.approvals.get(before)).state).toBe('granted')
  await dba.approvals.deny(id, { reason: 'that is not what was asked' })
  await running.catch(() => undefined)
  expect(await notes()).toBe('1,2,3')
  expect(await notes('evil.notes')).toBe('1,2,3')
}

test('the approved statement itself runs, by whatever way it comes, once', async () => {
  await approved()
  const client = await agent()
  expect((await client.query(DELETE, ['1'])).rowCount).toBe(1)
  expect(await notes()).toBe('2,3')
})

describe('with an approval in hand', () => {
  test.each<[string, string, readonly unknown[]]>([
    ['another text', 'DELETE FROM notes WHERE id >= $1', [1]],
    ['a comment more', `${DELETE} -- fine`, [1]],
    ['a space more', `${DELETE} `, [1]],
    ['another value', DELETE, [2]],
    ['a schema more', 'DELETE FROM evil.notes WHERE id = $1', [1]],
    ['a look-alike letter', DELETE.replace('notes', 'nоtes'), [1]],
  ])('%s is not what was approved', async (_, sql, params) => {
    const id = await approved()
    // One of them is no relation: the database says so when it parses it.
    expect((await call(sql, params)).rowCount).toBe(0)
    expect((await dba.approvals.get(id)).state).toBe('granted')
    expect(await notes()).toBe('1,2,3')
  })

  test('the same bytes in another format are not what was approved', async () => {
    const id = await approved()
    const client = await agent()
    await waitsAgain(client.query(DELETE, [Buffer.from('1')]), id)
  })

  test('the same text under another search path is not what was approved', async () => {
    const id = await approved()
    const client = await agent()
    await client.query('SET search_path = evil, public')
    await waitsAgain(client.query(DELETE, ['1']), id)
  })

  test('the same text as one of several statements is not what was approved', async () => {
    const id = await approved('DELETE FROM notes WHERE id = 1', [])
    const client = await agent()
    await waitsAgain(client.query('DELETE FROM notes WHERE id = 1; DELETE FROM notes'), id)
  })

  test('a name that is executed is not the statement behind it', async () => {
    const id = await approved('DELETE FROM notes WHERE id = 1', [])
    const client = await agent()
    await client.query('PREPARE p AS DELETE FROM notes')
    await waitsAgain(client.query('EXECUTE p'), id)
  })

  test('a table that was made anew is not the one that was approved', async () => {
    await approved()
    await superuser.query(`ALTER TABLE notes RENAME TO old_notes;
      CREATE TABLE notes (LIKE old_notes INCLUDING ALL); INSERT INTO notes SELECT * FROM old_notes;
      GRANT ALL ON notes TO sallyport_issuer WITH GRANT OPTION`)
    try {
      const answer = await call(DELETE, [1])
      expect(answer.decision.effect).not.toBe('permit')
      expect(await notes()).toBe('1,2,3')
    } finally {
      await superuser.query('DROP TABLE notes; ALTER TABLE old_notes RENAME TO notes')
    }
  })

  test('policies that were changed meanwhile ask again', async () => {
    const id = await approved()
    const admin = await gateway.access.api('dora', { groups: ['admins'] })
    const { version, files } = await admin.resources.current()
    const stricter = '@id("one-more") forbid (principal, action == Action::"truncate", resource);'
    const more = { files: [...files, { path: 'more.cedar', text: stricter }], expected: version }
    const applied = await admin.resources.apply(more)
    try {
      expect((await call(DELETE, [1])).decision.effect).toBe('pending')
      expect((await dba.approvals.get(id)).state).toBe('granted')
      expect(await notes()).toBe('1,2,3')
    } finally {
      await admin.resources.apply({ files, expected: applied.version })
    }
  })

  test('somebody else cannot use it', async () => {
    const id = await approved()
    const other = await gateway.access.connect('other-agent', AGENT)
    await waitsAgain(other.query(DELETE, ['1']), id)
  })

  test('it is used once, however many come at once', async () => {
    await approved()
    const answers = await Promise.all(Array.from({ length: 6 }, () => call(DELETE, [1])))
    expect(answers.filter(({ decision }) => decision.effect === 'permit')).toHaveLength(1)
    expect(await notes()).toBe('2,3')
  })

  test('it is worth nothing once it is taken back', async () => {
    const id = await approved()
    await dba.approvals.revoke(id, { reason: 'second thoughts' })
    expect((await call(DELETE, [1])).decision.effect).toBe('pending')
    expect(await notes()).toBe('1,2,3')
  })
})

describe('while a statement waits', () => {
  test('of decisions that come at once one counts, and it runs only if that was yes', async () => {
    for (let round = 0; round < 6; round++) {
      await superuser.query(`TRUNCATE notes; INSERT INTO notes VALUES (1, 'one')`)
      const client = await agent()
      const running = client.query(DELETE, ['1']).then(
        () => true,
        () => false,
      )
      const id = await until(
        'it waits',
        async () => (await dba.approvals.list({ state: 'pending' })).approvals[0]?.id,
      )
      const cy = await gateway.access.api('cy', { groups: ['dba'] })
      const words = [
        () => dba.approvals.approve(id, YES),
        () => cy.approvals.deny(id, { reason: 'no' }),
        () => cy.approvals.revoke(id, { reason: 'gone' }),
        () => dba.approvals.approve(id, YES),
      ]
      await Promise.allSettled(words.map((say) => say()))
      const ran = await running
      expect(ran).toBe((await dba.approvals.get(id)).state === 'used')
      expect(await notes()).toBe(ran ? '' : '1')
      await client.end()
    }
  })

  test.each<[string, string]>([
    ['a megabyte of padding', `DELETE FROM notes WHERE id = 1 ${' '.repeat(900_000)} OR true`],
    ['a long comment', `DELETE FROM notes WHERE id = 1 /*${'x'.repeat(100_000)}*/ OR true`],
  ])('nobody is asked about %s, and it does not run', async (_, sql) => {
    const client = await agent()
    await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' })
    expect((await dba.approvals.list({ state: 'pending' })).approvals).toEqual([])
    expect(await notes()).toBe('1,2,3')
  })

  test('people see what turns the direction of reading', async () => {
    const client = await agent()
    const running = client.query("DELETE FROM notes WHERE text = 'a\u202E' -- \u2066").catch(() => undefined)
    const id = await until(
      'it waits',
      async () => (await dba.approvals.list({ state: 'pending' })).approvals[0]?.id,
    )
    const shown = await dba.approvals.get(id)
    expect(shown.statement?.visible).toContain('⟨U+202E⟩')
    expect(shown.statement?.warnings).not.toEqual([])
    await dba.approvals.deny(id, { reason: 'what is this' })
    await running
  })

  test('its own session cannot get it through by a second connection', async () => {
    const client = await agent()
    const running = client.query(DELETE, ['1']).catch(() => undefined)
    const id = await until(
      'it waits',
      async () => (await dba.approvals.list({ state: 'pending' })).approvals[0]?.id,
    )
    for (const [who, wish] of [
      ['insight-agent', { actingFor: 'ana', groups: ['agents', 'dba'] }],
      ['ana', { groups: ['dba'] }],
      ['insight-agent', { kind: 'service', groups: ['dba'] }],
      ['insight-agent', { groups: ['dba'] }],
      ['dora', { groups: ['admins'] }],
      ['other', { actingFor: 'bo', groups: ['dba'] }],
    ] as const) {
      const api = await gateway.access.api(who, wish)
      await expect(api.approvals.approve(id, YES), JSON.stringify([who, wish])).rejects.toMatchObject({
        // Whoever may not even know of it is told that there is none.
        code: expect.stringMatching(/^(APPROVAL_NOT_YOURS|APPROVAL_UNKNOWN|ACCESS_POLICY_DENIED)$/),
      })
    }
    await dba.approvals.deny(id, { reason: 'it was tried six ways' })
    await running
    expect(await notes()).toBe('1,2,3')
  })
})
