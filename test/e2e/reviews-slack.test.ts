import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { SlackStandIn } from '../harness/slack.ts'
import { until } from '../harness/until.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 })

const MORE = `
@id("glass") @alarm("changed <!channel> without approval") @reviewers("group:security")
permit (principal in Group::"on-call", action in Action::"write", resource in Schema::"shop/public");
`
const CHANNEL = 'C01SEC'
const ON_CALL = { groups: ['readers', 'on-call'] }

let slack: SlackStandIn
let world: TestGateway

beforeAll(async () => {
  slack = await SlackStandIn.start()
  world = await startTestGateway({
    files: { 'more.cedar': MORE },
    settings: {
      slack: {
        botToken: { env: 'TEST_BOT' },
        appToken: { env: 'TEST_APP' },
        apiUrl: slack.apiUrl,
        channels: { security: CHANNEL },
      },
    },
    env: { TEST_BOT: 'xoxb-test', TEST_APP: 'xapp-test' },
  })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await slack[Symbol.asyncDispose]()
})

test('an alarm is one message to its reviewers, which shows how it went on and what they said', async () => {
  const client = await world.access.connect('omar', { ...ON_CALL, purpose: 'INC-1' })
  await client.query('UPDATE customers SET name = name WHERE id = 1 -- <!here>')
  const { reviews } = await (await world.access.api('omar', ON_CALL)).reviews.list()
  const id = reviews[0]?.id ?? ''
  const message = await slack.message(id, 'UPDATE customers')
  expect(message.channel).toBe(CHANNEL)
  const text = JSON.stringify([message.text, message.blocks])
  expect(text).toContain('omar')
  expect(text).toContain('INC-1')
  expect(text).toContain('changed &lt;!channel&gt; without approval')
  expect(text).not.toContain('<!channel>')
  // The statement is literal text, in which nothing is markup.
  expect(message.blocks.some(({ type }) => type === 'rich_text')).toBe(true)
  // Nobody reviews by a button: it is done where all of it is seen.
  expect(message.blocks.some(({ type }) => type === 'actions')).toBe(false)
  await client.query('UPDATE customers SET name = name WHERE id = 2')
  expect((await slack.message(id, '2 times')).ts).toBe(message.ts)
  const sam = await world.access.api('sam', { groups: ['security'] })
  await sam.reviews.close(id, { verdict: 'unjustified', note: 'no & no', alarms: 2 })
  expect((await slack.message(id, 'not justified')).ts).toBe(message.ts)
  expect(JSON.stringify((await slack.message(id, 'not justified')).blocks)).toContain('no &amp; no')
  const about = [...slack.messages.values()].filter((one) => JSON.stringify(one).includes(id))
  expect(about).toHaveLength(1)
})

test('a Slack that is away is told when it is back', async () => {
  slack.broken.add('chat.postMessage')
  const client = await world.access.connect('omar', ON_CALL)
  const before = slack.calls.length
  await client.query('DELETE FROM customers WHERE id = 0')
  await until('it was tried', () =>
    slack.calls.slice(before).some(({ method }) => method === 'chat.postMessage'),
  )
  slack.broken.clear()
  const { reviews } = await (await world.access.api('omar', ON_CALL)).reviews.list({ state: 'open' })
  // The next alarm comes before the next attempt would, and brings this one along.
  await client.query('DELETE FROM customers WHERE id = 0')
  expect((await slack.message(reviews[0]?.id ?? '', '2 times')).channel).toBe(CHANNEL)
})
