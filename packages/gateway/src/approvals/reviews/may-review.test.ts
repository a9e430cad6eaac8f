import { expect, test } from 'vitest'
import type { Principal } from '../../access/model.ts'
import { whyNotReview } from './may-review.ts'

const person = (id: string, more: Partial<Principal> = {}): Principal => ({
  kind: 'user',
  id,
  issuer: 'https://idp.test',
  subject: id,
  groups: ['security'],
  attributes: {},
  ...more,
})
const review = (principal: Principal, reviewers = ['security']) => ({
  principal,
  rule: { policy: 'glass', says: 'x', reviewers },
})
const ana = person('ana', { attributes: { email: 'ana@example.com' } })
const agentOfAna = person('helper', { kind: 'agent', actingFor: ana })

test.each<[string, Principal, Principal, string | undefined]>([
  ['somebody else of a named group', ana, person('bo'), undefined],
  ['somebody of no named group', ana, person('bo', { groups: ['dba'] }), 'only members of security'],
  ['oneself', ana, ana, 'themselves'],
  ['the person whose agent did it', agentOfAna, ana, 'themselves'],
  [
    'the same subject at another issuer',
    ana,
    person('corp/ana', { subject: 'ana', issuer: 'https://b' }),
    'themselves',
  ],
  [
    'another account with the same address',
    ana,
    person('a2', { attributes: { email: 'ANA@example.com' } }),
    'themselves',
  ],
  ['an agent', ana, person('bot', { kind: 'agent' }), 'only people'],
  ['a service', ana, person('cron', { kind: 'service' }), 'only people'],
  ['an agent that acts for a reviewer', ana, person('bot', { actingFor: person('bo') }), 'only people'],
])('may review: %s', (_, did, principal, expected) => {
  const why = whyNotReview(review(did), principal, true)
  if (expected === undefined) expect(why).toBeUndefined()
  else expect(why).toContain(expected)
})

test('where a policy names nobody, those review who may view the audit log', () => {
  expect(whyNotReview(review(ana, []), person('bo'), true)).toBeUndefined()
  expect(whyNotReview(review(ana, []), person('bo'), false)).toContain('viewAudit')
  expect(whyNotReview(review(ana, []), ana, true)).toContain('themselves')
})
