import { expect, test } from 'vitest'
import { approval, bo, decision, statement } from '../approval.fixture.ts'
import { keepStatement } from '../keep-statement.ts'
import type { Approval } from '../ports.ts'
import { APPROVE, approvalMessage, DENY, isShownWhole, OPEN } from './message.ts'

const URL = 'https://gw.test'

function request(changed: Partial<Approval> = {}, text = statement().text): Approval {
  return approval({ statement: keepStatement(statement({ text })), ...changed })
}

const buttons = (one: Approval): (string | undefined)[] =>
  approvalMessage(one, URL).blocks.flatMap((block) =>
    block.type === 'actions'
      ? block.elements.map((element) => ('action_id' in element ? element.action_id : undefined))
      : [],
  )
const texts = (one: Approval): string => JSON.stringify(approvalMessage(one, URL).blocks)

test('has the statement, its parameters and who asks, and buttons that name what was shown', () => {
  const one = request({ digest: 'd'.repeat(64) })
  expect(buttons(one)).toEqual([APPROVE, DENY, OPEN])
  expect(texts(one)).toContain(statement().text)
  expect(texts(one)).toContain("$1 text = 'refunded'")
  expect(texts(one)).toContain('insight-agent for ana')
  expect(texts(one)).toContain(
    JSON.stringify(JSON.stringify({ id: 'apr_1', digest: 'd'.repeat(64) })).slice(1, -1),
  )
})

test.each(['granted', 'denied', 'expired', 'withdrawn', 'used'] as const)(
  'has no buttons once %s',
  (state) => {
    expect(buttons(request({ state, closedBecause: 'because' }))).toEqual([])
  },
)

test.each([2500, 3000, 60_000])(
  'with %i characters of text it is whole or has no button to approve',
  (length) => {
    const long = request({}, `SELECT '${'x'.repeat(length)}'`)
    expect(buttons(long)).toEqual(isShownWhole(long) ? [APPROVE, DENY, OPEN] : [OPEN])
    expect(texts(long).includes('x'.repeat(length))).toBe(isShownWhole(long))
  },
)

test('characters that grow when they are written out count as what is shown', () => {
  const one = request({}, `SELECT '${'\u202E'.repeat(400)}'`)
  expect(isShownWhole(one)).toBe(false)
  expect(buttons(one)).toEqual([OPEN])
})

test('what others wrote is no markup', () => {
  const one = request({
    reported: { purpose: '<@U012> <!here> & <https://evil.test|ok>', prompt: 'a\n*b*' },
    need: { ...approval().need, reason: '<!channel>' },
    decisions: [decision(bo, { reason: '<@U1>' })],
  })
  const blocks = approvalMessage(one, URL).blocks
  const marked = JSON.stringify(blocks.filter(({ type }) => type !== 'rich_text'))
  expect(marked).not.toMatch(/<(?!!date\^)[@!#h]/)
  expect(marked).toContain('&lt;@U012&gt; &lt;!here&gt; &amp;')
})

test('a message stays within what Slack takes', () => {
  const one = request({
    target: 'x'.repeat(400),
    reported: { purpose: 'p'.repeat(5000), prompt: '<'.repeat(5000) },
    need: { ...approval().need, reason: '&'.repeat(5000) },
    preview: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 'v'.repeat(1000)])),
  })
  for (const block of approvalMessage(one, URL).blocks) {
    if (block.type === 'header') expect(block.text.text.length).toBeLessThanOrEqual(150)
    if (block.type === 'section')
      for (const { text } of block.fields ?? []) expect(text.length).toBeLessThanOrEqual(2000)
    if (block.type === 'context') {
      for (const element of block.elements) {
        if ('text' in element) expect(element.text.length).toBeLessThanOrEqual(3000)
      }
    }
  }
})
