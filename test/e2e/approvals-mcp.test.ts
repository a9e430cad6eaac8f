import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Client as ApiClient } from '@sallyport/api'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { APPROVAL_POLICIES } from '../harness/approval-policies.ts'
import { type GatewayProcess, startGatewayProcess } from '../harness/gateway-process.ts'
import { startTestWorld, type TestWorld, type TokenWish } from '../harness/test-world.ts'
import { until } from '../harness/until.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 })

const AGENT: TokenWish = { actingFor: 'ana', groups: ['agents'] }

let world: TestWorld
let gateway: GatewayProcess
let dba: ApiClient
let superuser: pg.Client

async function start(): Promise<void> {
  gateway = await startGatewayProcess(world)
  dba = await gateway.access.api('bo', { groups: ['dba'] })
}

beforeAll(async () => {
  world = await startTestWorld({
    policies: APPROVAL_POLICIES,
    settings: { approvals: { hold: '1500ms' } },
  })
  superuser = await world.target.client('shop')
  await start()
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await superuser.query(`TRUNCATE notes; INSERT INTO notes VALUES (1, 'one'), (2, 'two'), (3, 'three')`)
})

const open: Client[] = []
afterEach(() => Promise.all(open.splice(0).map((client) => client.close().catch(() => undefined))))

type Mode = 'legacy' | 'auto'

async function connect(mode: Mode = 'auto', principal = 'insight-agent', wish = AGENT): Promise<Client> {
  const token = await world.token(principal, wish)
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(
    new StreamableHTTPClientTransport(new URL('/mcp', gateway.access.url), { requestInit }),
  )
  open.push(client)
  return client
}

interface Approval {
  readonly id: string
  readonly state: string
  readonly url: string
}

interface Called {
  readonly text: string
  readonly isError: boolean
  readonly answer: {
    readonly decision: { readonly effect: string; readonly hint?: string }
    readonly rowCount: number
    readonly approval: Approval
    readonly next: string
  }
}

async function call(
  client: Client,
  name: string,
  args: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<Called> {
  const options = signal === undefined ? {} : { signal }
  const result = await client.callTool({ name, arguments: args }, options)
  const text = result.content.map((block) => (block.type === 'text' ? block.text : '')).join('\n')
  return { text, isError: result.isError === true, answer: result.structuredContent as never }
}

const remove = (client: Client, id: number, signal?: AbortSignal): Promise<Called> =>
  call(client, 'query', { target: 'shop', sql: 'DELETE FROM notes WHERE id = $1', params: [id] }, signal)

async function waiting(): Promise<string> {
  return await until('a request waits', async () => {
    const { approvals } = await dba.approvals.list({ state: 'pending' })
    return approvals[0]?.id
  })
}

const notes = async (): Promise<string> =>
  (await superuser.query<{ id: number }>('SELECT id FROM notes ORDER BY id')).rows.map(({ id }) => id).join()

const YES = { reason: 'looked at it' }

describe.each<Mode>(['legacy', 'auto'])('MCP (%s)', (mode) => {
  test('a query runs when it is approved while it holds', async () => {
    const client = await connect(mode)
    const calling = remove(client, 1)
    await dba.approvals.approve(await waiting(), YES)
    const { answer } = await calling
    expect(answer).toMatchObject({ decision: { effect: 'permit' }, rowCount: 1 })
    expect(await notes()).toBe('2,3')
  })

  test('it says pending when that takes longer, and runs at the next identical call', async () => {
    const client = await connect(mode)
    const first = await remove(client, 1)
    expect(first.isError).toBe(false)
    expect(first.text).toMatch(/^PENDING: the statement has not run/)
    const { decision, approval } = first.answer
    expect(decision).toMatchObject({ effect: 'pending', hint: expect.stringContaining('check_approval') })
    expect(approval).toMatchObject({ state: 'pending', approvers: ['dba'] })
    expect(approval.url).toMatch(new RegExp(`/approvals/${approval.id}$`))

    const checking = call(client, 'check_approval', { id: approval.id })
    await dba.approvals.approve(approval.id, YES)
    const checked = await checking
    expect(checked.answer.approval.state).toBe('granted')
    expect(checked.answer.next).toContain('Call query again with the identical statement')

    // Not the same one: it asks again.
    const other = await remove(client, 2)
    expect(other.answer.decision.effect).toBe('pending')
    expect(other.answer.approval.id).not.toBe(approval.id)
    await dba.approvals.deny(other.answer.approval.id, { reason: 'one is enough' })

    const second = await remove(client, 1)
    expect(second.answer).toMatchObject({ decision: { effect: 'permit' }, rowCount: 1 })
    expect(await notes()).toBe('2,3')

    // It was for once.
    const third = await remove(client, 1)
    expect(third.answer.decision.effect).toBe('pending')
    expect(third.answer.approval.id).not.toBe(approval.id)
    await dba.approvals.deny(third.answer.approval.id, { reason: 'done already' })
  })

  test('a denial is an error with the reason', async () => {
    const client = await connect(mode)
    const calling = remove(client, 1)
    const id = await waiting()
    await dba.approvals.deny(id, { reason: 'not on a friday' })
    const { isError, text } = await calling
    expect(isError).toBe(true)
    expect(text).toMatch(/DENIED \[APPROVAL_DENIED\][^]*bo denied it: not on a friday/)
    const checked = await call(client, 'check_approval', { id })
    expect(checked.isError).toBe(true)
    expect(checked.text).toContain('not on a friday')
    expect(await notes()).toBe('1,2,3')
  })
})

test('the same call twice is one request, and runs once', async () => {
  const [one, two] = await Promise.all([connect(), connect()])
  const calls = [remove(one, 1), remove(two, 1)]
  const id = await waiting()
  await dba.approvals.approve(id, YES)
  const answers = await Promise.all(calls)
  expect(answers.filter(({ answer }) => answer.decision.effect === 'permit')).toHaveLength(1)
  expect(await notes()).toBe('2,3')
})

test('the gateway and the agent may both be restarted between asking, approving and running', async () => {
  const { answer } = await remove(await connect(), 1)
  await gateway.crash()
  await start()
  await dba.approvals.approve(answer.approval.id, YES)
  await gateway.crash()
  await start()
  expect(
    (await call(await connect(), 'check_approval', { id: answer.approval.id })).answer.approval.state,
  ).toBe('granted')
  expect((await remove(await connect(), 1)).answer.decision.effect).toBe('permit')
  expect(await notes()).toBe('2,3')
})

test('a gateway that dies while an approved statement runs leaves no privilege behind', async () => {
  const locker = await world.target.client('shop')
  await locker.query('BEGIN; SELECT FROM notes FOR UPDATE')
  // Nobody answers it any more.
  void remove(await connect(), 1).catch(() => undefined)
  await dba.approvals.approve(await waiting(), YES)
  await world.running('DELETE FROM notes')
  await gateway.crash()
  await start()
  await until('its role is gone, and its statement with it', async () => {
    const { rows } = await superuser.query<{ left: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname ~ '^sp_[0-9a-f]{8}_l_'
         AND has_table_privilege(oid, 'notes', 'DELETE'))
       OR EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DELETE FROM notes%') AS left`,
    )
    return rows[0]?.left === false ? true : undefined
  })
  await locker.query('ROLLBACK')
  expect(await notes()).toBe('1,2,3')
})

test('nobody else learns of a request, or uses it', async () => {
  const { answer } = await remove(await connect(), 1)
  const { id } = answer.approval
  for (const [who, wish] of [
    ['other-agent', AGENT],
    ['insight-agent', { actingFor: 'eve', groups: ['agents'] }],
    ['ana', { groups: ['agents'] }],
  ] as const) {
    const stranger = await connect('auto', who, wish)
    const checked = await call(stranger, 'check_approval', { id })
    expect(checked.isError, who).toBe(true)
    expect(checked.text, who).toContain('APPROVAL_UNKNOWN')
  }
  await dba.approvals.approve(id, YES)
  const eve = await connect('auto', 'insight-agent', { actingFor: 'eve', groups: ['agents'] })
  const tried = await remove(eve, 1)
  expect(tried.answer.decision.effect).toBe('pending')
  await dba.approvals.deny(tried.answer.approval.id, { reason: 'not hers' })
  expect(await notes()).toBe('1,2,3')
  expect((await remove(await connect(), 1)).answer.decision.effect).toBe('permit')
})

test('a cancelled call takes its request back', async () => {
  const client = await connect('legacy')
  const controller = new AbortController()
  const calling = remove(client, 1, controller.signal).catch((error: unknown) => error)
  const id = await waiting()
  controller.abort()
  await calling
  await until('it is withdrawn', async () =>
    (await dba.approvals.get(id)).state === 'withdrawn' ? true : undefined,
  )
})

test('no tool decides about anything', async () => {
  const { tools } = await (await connect()).listTools()
  expect(tools.map(({ name }) => name)).toEqual([
    'list_targets',
    'describe_target',
    'query',
    'check_approval',
  ])
})
