import { expect, test } from 'vitest'
import { agentForAna } from '../approval.fixture.ts'
import type { Review } from '../ports.ts'
import { reviewPayload } from './event-payload.ts'

const AT = new Date('2026-01-01T00:00:00Z')

test('who is told of a review learns the verdict and where to look, and no statement', () => {
  const review: Review = {
    id: 'rev_1',
    state: 'unjustified',
    sessionId: 'ses_1',
    target: 'shop',
    rule: { policy: 'glass', says: 'loud', reviewers: ['security'] },
    principal: agentForAna,
    via: 'postgres',
    sourceIp: '::1',
    purpose: 'INC-1',
    alarms: 2,
    firstAt: AT,
    lastAt: AT,
    statements: [{ text: 'DELETE FROM orders', cut: false, operations: ['delete public.orders'], count: 2 }],
    words: [
      {
        person: { id: 'sam', issuer: 'i', subject: 'sam' },
        groups: ['security'],
        verdict: 'unjustified',
        note: 'nobody was asked',
        alarms: 2,
        surface: 'cli',
        at: AT.toISOString(),
      },
    ],
  }
  const event = reviewPayload(review, 'https://gateway.test', AT)
  expect(event).toMatchObject({
    type: 'alarm.reviewed',
    data: {
      id: 'rev_1',
      verdict: 'unjustified',
      policy: 'glass',
      alarms: 2,
      principal: 'insight-agent',
      actingFor: 'ana',
      reviewedBy: 'sam',
      note: 'nobody was asked',
      url: 'https://gateway.test/api/v1/reviews/rev_1',
    },
  })
  expect(JSON.stringify(event)).not.toContain('DELETE')
})
