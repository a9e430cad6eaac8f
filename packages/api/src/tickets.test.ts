import { expect, test } from 'vitest'
import { TicketRequest } from './tickets.ts'

test.each([
  [90, 90],
  ['90', 90],
  ['90s', 90],
  ['10m', 600],
  ['1h', 3600],
])('a ttl of %j is %i seconds', (ttl, seconds) => {
  expect(TicketRequest.parse({ target: 'shop', ttl }).ttl).toBe(seconds)
})

test.each([0, -1, 1.5, '', '0', '-1m', '1.5h', '1d', '10 m', '9'.repeat(12), null])(
  'a ttl of %j is refused',
  (ttl) => {
    expect(TicketRequest.safeParse({ target: 'shop', ttl }).success).toBe(false)
  },
)
