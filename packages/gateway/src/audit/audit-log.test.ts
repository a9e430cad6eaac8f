import { expect, test } from 'vitest'
import { auditLog } from './audit-log.ts'

test('an event is one line of JSON with its time', () => {
  const lines: string[] = []
  const audit = auditLog({ append: (line) => lines.push(line) }, () => 1_700_000_000_000)
  audit({ type: 'ticket.issue', principal: 'ana', target: 'shop', detail: { ticket: 'tkt_1', ttl: 600 } })
  expect(lines).toEqual([
    '{"a":{"type":"ticket.issue","principal":"ana","target":"shop","detail":{"ticket":"tkt_1","ttl":600}},"at":1700000000000}',
  ])
})

test('a line break in a value does not break the line', () => {
  const lines: string[] = []
  auditLog({ append: (line) => lines.push(line) }, () => 1)({ type: 'access.denied', principal: 'a\nb' })
  expect(lines).toEqual(['{"a":{"type":"access.denied","principal":"a\\nb"},"at":1}'])
})

test('a journal that cannot be written is not hidden', () => {
  const audit = auditLog({
    append: () => {
      throw new Error('disk full')
    },
  })
  expect(() => audit({ type: 'gateway.start' })).toThrow('disk full')
})
