import { expect, test } from 'vitest'
import { agentForAna, ana, approval, bo, cy, decision, person, rule } from './approval.fixture.ts'
import { missing, whyNot } from './may-decide.ts'

const need = (...rules: ReturnType<typeof rule>[]) => ({ policies: ['p'], rules, reason: 'r' })

test('a member of a named group decides', () => {
  expect(whyNot(approval(), bo)).toBeUndefined()
})

test.each([
  ['the person that the agent acts for', person('ana', ['dba'])],
  ['the same subject under another id', person('ana@corp', ['dba'], { subject: 'ana' })],
  [
    'the same subject at another issuer',
    person('corp/ana', ['dba'], { subject: 'ana', issuer: 'https://other' }),
  ],
  ['the agent itself', { ...agentForAna, groups: ['dba'] }],
  ['another agent of the same person', person('second-agent', ['dba'], { kind: 'agent', actingFor: ana })],
  ['an agent of an approver', person('helper', ['dba'], { kind: 'agent', actingFor: bo })],
  ['a service', person('cron', ['dba'], { kind: 'service' })],
  ['a user token with somebody behind it', person('dan', ['dba'], { actingFor: bo })],
  ['an administrator', person('root', ['admins'])],
  ['a group that is spelled another way', person('dan', ['DBA'])],
  ['nobody in particular', person('dan')],
])('%s does not', (_, who) => {
  expect(whyNot(approval(), who)).toMatch(/./)
})

test('the address that the agent of a person has makes another account the same person', () => {
  const requester = person('ana', [], { attributes: { email: 'Ana@corp.test' } })
  const other = person('a.second', ['dba'], { attributes: { email: 'ana@corp.test' } })
  expect(whyNot(approval({ principal: requester }), other)).toMatch(/their own/)
})

test('a rule without groups is met by nobody', () => {
  expect(whyNot(approval({ need: need(rule({ approvers: [] })) }), bo)).toMatch(/./)
})

test.each([
  ['no decision', rule({ quorum: 2 }), [], 2],
  ['one of two', rule({ quorum: 2 }), [decision(bo)], 1],
  ['both', rule({ quorum: 2 }), [decision(bo), decision(cy)], 0],
  ['one person twice', rule({ quorum: 2 }), [decision(bo), decision(bo)], 1],
  [
    'one person with two accounts',
    rule({ quorum: 2 }),
    [decision(bo), decision(person('bo2', ['dba'], { subject: 'bo', issuer: 'https://other' }))],
    1,
  ],
  ['somebody of another group', rule(), [decision(person('eve', ['other']))], 1],
  ['a denial', rule(), [decision(bo, { verdict: 'deny' })], 1],
  ['a quorum of nobody', rule({ quorum: 0 }), [], 1],
] as const)('%s: so many are missing', (_, one, decisions, people) => {
  expect(missing(need(one), decisions)).toEqual([{ rule: one, people }])
})

test('each rule has its own count, and one person may stand for both', () => {
  const both = need(rule(), rule({ policy: 'q', approvers: ['security'] }))
  expect(missing(both, [decision(bo)]).map(({ people }) => people)).toEqual([0, 1])
  expect(missing(both, [decision(cy)]).map(({ people }) => people)).toEqual([0, 0])
})
