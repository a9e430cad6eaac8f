import { createClient } from '@sallyport/api'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { SlackStandIn } from '../harness/slack.ts'
import { until } from '../harness/until.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 })

const POLICIES = `
@id("open") permit (principal, action in [Action::"connect", Action::"read"], resource);
@id("write") permit (principal, action == Action::"update", resource in Schema::"shop/public");
@id("people-look") @approvers("group:dba") @ttl("10m") @reason("writes are looked at")
forbid (principal, action == Action::"update", resource) unless { context has approval };
`
const CHANNEL = 'C01DBA'

let slack: SlackStandIn
let world: TestGateway

beforeAll(async () => {
  slack = await SlackStandIn.start()
  world = await startTestGateway({
    policies: POLICIES,
    settings: {
      slack: {
        botToken: { env: 'TEST_BOT' },
        appToken: { env: 'TEST_APP' },
        apiUrl: slack.apiUrl,
        channels: { dba: CHANNEL },
        users: [
          { slack: 'U0BO', issuer: 'ISSUER', subject: 'bo' },
          { slack: 'U0ANA', issuer: 'ISSUER', subject: 'ana' },
          { slack: 'U0NEVER', issuer: 'ISSUER', subject: 'never' },
        ],
      },
    },
    env: { TEST_BOT: 'xoxb-test', TEST_APP: 'xapp-test' },
  })
  for (const id of ['U0BO', 'U0ANA', 'U0NEVER', 'U0OUT']) slack.users.set(id, { id })
  slack.users.set('U0GUEST', { id: 'U0GUEST', more: { is_restricted: true } })
  slack.users.set('U0MAIL', { id: 'U0MAIL', email: 'Cy@corp.test', emailConfirmed: true })
  slack.users.set('U0UNSURE', { id: 'U0UNSURE', email: 'cy@corp.test', emailConfirmed: false })
  // Who decides in Slack has logged in at the gateway.
  for (const [who, groups, claims] of [
    ['bo', ['dba'], {}],
    ['ana', ['dba'], {}],
    ['cy', ['dba'], { email: 'cy@corp.test', email_verified: true }],
  ] as const) {
    const token = await world.token(who, { groups, claims })
    await createClient({ url: world.access.url, token: () => token }).whoami()
  }
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await slack[Symbol.asyncDispose]()
})

let unique = 0

/** A statement of ana's that waits on the wire for people. */
async function waiting(sql = `UPDATE customers SET name = $1 WHERE id = ${unique++} + 100000`): Promise<{
  readonly id: string
  /** `ran`, or the error. */
  readonly result: Promise<string>
}> {
  const client = await world.access.connect('ana')
  const before = new Set(await ids())
  const result = client.query(sql, sql.includes('$1') ? ['<!channel> & co'] : []).then(
    () => 'ran',
    (error: Error) => error.message,
  )
  const id = await until('the request is there', async () => (await ids()).find((one) => !before.has(one)))
  return { id, result }
}

async function ids(): Promise<readonly string[]> {
  const api = await world.access.api('bo', { groups: ['dba'] })
  return (await api.approvals.list({ state: 'pending', limit: 500 })).approvals.map(({ id }) => id)
}

async function stateOf(id: string): Promise<string> {
  const api = await world.access.api('bo', { groups: ['dba'] })
  return (await api.approvals.get(id)).state
}

test('a press and a reason let the waiting statement run, and the message says so', async () => {
  const { id, result } = await waiting()
  const message = await slack.message(id)
  expect(message.channel).toBe(CHANNEL)
  const shown = JSON.stringify(message.blocks)
  expect(shown).toContain('UPDATE customers SET name = $1')
  expect(shown).toContain('writes are looked at')
  const dialog = await slack.dialog(await slack.press(message, 'sallyport_approve', 'U0BO'))
  expect(JSON.stringify(dialog)).toContain('UPDATE customers SET name = $1')
  expect(await slack.submit(dialog, 'U0BO', 'looked at it')).toEqual({})
  expect(await result).toBe('ran')
  const after = await slack.message(id, 'Approved and run')
  expect(after.ts).toBe(message.ts)
  expect(after.blocks.some(({ type }) => type === 'actions')).toBe(false)
  const api = await world.access.api('bo', { groups: ['dba'] })
  expect((await api.approvals.get(id)).decisions).toMatchObject([
    { person: 'bo', groups: ['dba'], surface: 'slack', reason: 'looked at it' },
  ])
})

test('a denial needs its reason too, and ends the wait', async () => {
  const { id, result } = await waiting()
  const dialog = await slack.dialog(await slack.press(await slack.message(id), 'sallyport_deny', 'U0BO'))
  expect(await slack.submit(dialog, 'U0BO', '  ')).toMatchObject({ response_action: 'errors' })
  expect(await slack.submit(dialog, 'U0BO', 'too wide')).toEqual({})
  expect(await result).toMatch(/denied/)
  await slack.message(id, 'too wide')
})

test('a verified address links as well, whatever its case', async () => {
  const { id, result } = await waiting()
  const dialog = await slack.dialog(await slack.press(await slack.message(id), 'sallyport_approve', 'U0MAIL'))
  expect(await slack.submit(dialog, 'U0MAIL', 'fine')).toEqual({})
  expect(await result).toBe('ran')
})

describe('who may not', () => {
  test.each([
    ['U0OUT', /not linked/],
    ['U0GUEST', /only members/],
    ['U0UNSURE', /not linked/],
    ['U0NEVER', /sallyport whoami/],
    ['U0ANA', /request of their own/],
  ])('%s is told why, and nothing is decided', async (user, why) => {
    const { id } = await waiting()
    await slack.press(await slack.message(id), 'sallyport_approve', user)
    expect(await slack.whispered(user)).toMatch(why)
    expect(await stateOf(id)).toBe('pending')
  })
})

describe('forged and replayed', () => {
  test.each<[string, (id: string, other: string) => Readonly<Record<string, unknown>>]>([
    ['a press for another request', (_, other) => ({ value: JSON.stringify({ id: other, digest: 'x' }) })],
    ['a press on what was not shown', (id) => ({ value: JSON.stringify({ id, digest: '0'.repeat(64) }) })],
    ['a press without a request', () => ({ value: 'approve everything' })],
    [
      'a press on a message of somebody else',
      () => ({
        container: { type: 'message', message_ts: '1.2', channel_id: CHANNEL },
        message: { ts: '1.2' },
      }),
    ],
    [
      'a press in another channel',
      () => ({
        channel: { id: 'C0EVIL' },
        container: { type: 'message', message_ts: '1.2', channel_id: 'C0EVIL' },
      }),
    ],
    [
      'a press from another workspace',
      () => ({ team: { id: 'T0EVIL' }, user: { id: 'U0BO', team_id: 'T0EVIL' } }),
    ],
  ])('%s opens no dialog', async (_, forged) => {
    const [one, other] = [await waiting(), await waiting()]
    const message = await slack.message(one.id)
    await slack.message(other.id)
    const trigger = await slack.press(message, 'sallyport_approve', 'U0BO', forged(one.id, other.id))
    // A genuine press after it is answered after it.
    await slack.dialog(await slack.press(message, 'sallyport_approve', 'U0BO'))
    expect(slack.views.has(trigger)).toBe(false)
    expect([await stateOf(one.id), await stateOf(other.id)]).toEqual(['pending', 'pending'])
  })

  test('a dialog that we did not open decides nothing', async () => {
    const { id } = await waiting()
    const dialog = await slack.dialog(await slack.press(await slack.message(id), 'sallyport_approve', 'U0BO'))
    for (const [view, user, more] of [
      [{ ...dialog, private_metadata: id }, 'U0BO', {}],
      [{ ...dialog, private_metadata: '' }, 'U0BO', {}],
      [dialog, 'U0MAIL', {}],
      [dialog, 'U0BO', { team: { id: 'T0EVIL' } }],
    ] as const) {
      expect(await slack.submit(view, user, 'forged', more)).toMatchObject({ response_action: 'errors' })
    }
    expect(await stateOf(id)).toBe('pending')
  })

  test('a dialog counts once', async () => {
    const { id } = await waiting()
    const dialog = await slack.dialog(await slack.press(await slack.message(id), 'sallyport_deny', 'U0BO'))
    const answers = await Promise.all([1, 2, 3].map(() => slack.submit(dialog, 'U0BO', 'no')))
    expect(answers.filter((answer) => Object.keys(answer as object).length === 0)).toHaveLength(1)
    expect(await stateOf(id)).toBe('denied')
  })

  test('a press on what is decided already is answered so', async () => {
    const { id } = await waiting()
    const message = await slack.message(id)
    await (await world.access.api('bo', { groups: ['dba'] })).approvals.deny(id, { reason: 'no' })
    await slack.press(message, 'sallyport_approve', 'U0BO')
    expect(await slack.whispered('U0BO')).toContain(`${id} is denied already`)
  })
})

test('what is too long to be shown whole cannot be approved here', async () => {
  const { id } = await waiting(
    `UPDATE customers SET name = 'x' WHERE id = 0 AND name <> '${'y'.repeat(4000)}'`,
  )
  const message = await slack.message(id)
  const buttons = message.blocks.flatMap((block) => (block.type === 'actions' ? (block.elements ?? []) : []))
  expect(buttons.map((one) => one.action_id)).toEqual(['sallyport_open'])
  expect(JSON.stringify(message)).not.toContain('yyyy')
  const api = await world.access.api('bo', { groups: ['dba'] })
  const { digest } = await api.approvals.get(id)
  const trigger = await slack.press(message, 'sallyport_approve', 'U0BO', {
    value: JSON.stringify({ id, digest }),
  })
  expect(slack.views.has(trigger)).toBe(false)
})

test('nothing in a message becomes a mention or a link', async () => {
  const client = await world.access.connect('ana', {
    purpose: '<!channel> see <https://evil.test|here> & ```now',
  })
  const before = new Set(await ids())
  const result = client.query("UPDATE customers SET name = '```' WHERE id = 0").catch(() => undefined)
  const id = await until('the request is there', async () => (await ids()).find((one) => !before.has(one)))
  const message = await slack.message(id)
  const marked = JSON.stringify(message.blocks.filter(({ type }) => type !== 'rich_text'))
  expect(marked).toContain('&lt;!channel&gt; see &lt;https://evil.test|here&gt; &amp; ```now')
  expect(marked).not.toContain('<!channel>')
  await (await world.access.api('bo', { groups: ['dba'] })).approvals.deny(id, { reason: 'no' })
  await result
})

test('what happens while Slack is away is shown when it is back', async () => {
  const { id } = await waiting()
  await slack.message(id)
  slack.broken.add('chat.update')
  await (await world.access.api('bo', { groups: ['dba'] })).approvals.deny(id, { reason: 'while away' })
  slack.broken.add('chat.postMessage')
  const other = await waiting()
  await until('both were tried', () => slack.calls.some(({ method }) => method === 'chat.update'))
  slack.broken.clear()
  slack.disconnect()
  await slack.message(id, 'while away')
  await slack.message(other.id)
})

test('the tokens go to Slack and nowhere else', () => {
  expect(
    new Set(slack.calls.map(({ method, token }) => (method === 'apps.connections.open' ? '' : token))),
  ).toEqual(new Set(['', 'xoxb-test']))
  expect(slack.calls.find(({ method }) => method === 'apps.connections.open')?.token).toBe('xapp-test')
  expect(world.errors).toEqual([])
})
