import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { approval, bo, cy, decision, EPOCH, person, rule } from './approval.fixture.ts'
import type { Approval } from './ports.ts'
import { decided, expired, isOpen, used, withdrawn } from './transitions.ts'

const at = (seconds: number): Date => new Date(EPOCH + seconds * 1000)
const two = { policies: ['p'], rules: [rule({ quorum: 2 })], reason: 'r' }
const code = (expected: string) => expect.objectContaining({ code: expected })

describe('deciding', () => {
  test('one yes grants what asks for one, and from then on its time counts', () => {
    const granted = decided(approval(), decision(bo, { at: at(10) }))
    expect(granted).toMatchObject({
      state: 'granted',
      kind: 'statement',
      grantedAt: at(10),
      expiresAt: at(910),
    })
  })

  test('one of two leaves it pending, the second grants it', () => {
    const half = decided(approval({ need: two }), decision(bo))
    expect(half.state).toBe('pending')
    expect(decided(half, decision(cy)).state).toBe('granted')
  })

  test('one no is enough, also after a yes', () => {
    const half = decided(approval({ need: two }), decision(bo))
    expect(decided(half, decision(cy, { verdict: 'deny', reason: 'too wide' }))).toMatchObject({
      state: 'denied',
      closedBecause: 'cy denied it: too wide',
    })
  })

  test('nobody decides twice', () => {
    const half = decided(approval({ need: two }), decision(bo))
    expect(() => decided(half, decision(bo))).toThrow(code('APPROVAL_DECIDED'))
    const again = decision(person('bo-admin', ['dba'], { subject: 'bo' }))
    expect(() => decided(half, again)).toThrow(code('APPROVAL_DECIDED'))
  })

  test('at the deadline it is too late', () => {
    expect(() => decided(approval(), decision(bo, { at: at(900) }))).toThrow(code('APPROVAL_DECIDED'))
    expect(decided(approval(), decision(bo, { at: at(899) })).state).toBe('granted')
  })

  test('a need without rules is never met', () => {
    const none = { policies: ['p'], rules: [], reason: 'r' }
    expect(decided(approval({ need: none }), decision(bo)).state).toBe('pending')
  })
})

describe('a grant', () => {
  const pattern = { kind: 'pattern', seconds: 3600, maxUses: 5 } as const

  test('lasts no longer than the policies say', () => {
    expect(decided(approval(), decision(bo, { grant: pattern }))).toMatchObject({
      kind: 'pattern',
      grant: { maxUses: 5, seconds: 900 },
      expiresAt: at(901),
    })
  })

  test('is as wide as the narrowest yes', () => {
    const first = decided(approval({ need: two }), decision(bo, { grant: pattern }))
    expect(decided(first, decision(cy))).toMatchObject({ kind: 'statement', grant: undefined })
    const connection = { kind: 'connection', seconds: 60 } as const
    expect(decided(first, decision(cy, { grant: connection }))).toMatchObject({ kind: 'statement' })
    expect(decided(first, decision(cy, { grant: { ...pattern, seconds: 60, maxUses: 2 } }))).toMatchObject({
      kind: 'pattern',
      grant: { seconds: 60, maxUses: 2 },
    })
  })

  test('is used until its deadline, or as often as it says', () => {
    let granted = decided(approval(), decision(bo, { grant: { ...pattern, maxUses: 2 } }))
    granted = used(granted, at(2))
    expect(granted).toMatchObject({ state: 'granted', uses: 1 })
    granted = used(granted, at(3))
    expect(granted).toMatchObject({ state: 'used', uses: 2 })
    expect(() => used(granted, at(4))).toThrow(code('APPROVAL_DECIDED'))
  })

  test('can be taken back', () => {
    const granted = decided(approval(), decision(bo, { grant: pattern }))
    const revoked = withdrawn(granted, 'bo revoked it: done', at(5))
    expect(revoked.state).toBe('withdrawn')
    expect(() => used(revoked, at(6))).toThrow(code('APPROVAL_DECIDED'))
  })
})

describe('using', () => {
  const granted = decided(approval(), decision(bo, { at: at(0) }))

  test('once, and not again', () => {
    const once = used(granted, at(1))
    expect(once).toMatchObject({ state: 'used', uses: 1 })
    expect(() => used(once, at(1))).toThrow(code('APPROVAL_DECIDED'))
  })

  test('not at the deadline, whether or not a timer has noticed', () => {
    expect(() => used(granted, at(900))).toThrow(code('APPROVAL_EXPIRED'))
    expect(() => used(expired(granted, at(900)), at(900))).toThrow(code('APPROVAL_EXPIRED'))
  })

  test.each([
    ['pending', 'APPROVAL_PENDING'],
    ['denied', 'APPROVAL_DENIED'],
    ['expired', 'APPROVAL_EXPIRED'],
    ['withdrawn', 'APPROVAL_DECIDED'],
  ] as const)('not while %s', (state, expected) => {
    expect(() => used(approval({ state }), at(1))).toThrow(code(expected))
  })
})

test('what is final stays as it is', () => {
  for (const state of ['denied', 'expired', 'withdrawn', 'used'] as const) {
    const over = approval({ state })
    expect(withdrawn(over, 'x', at(1))).toBe(over)
    expect(expired(over, at(9999))).toBe(over)
    expect(() => decided(over, decision(bo))).toThrow(code('APPROVAL_DECIDED'))
  }
})

test('withdrawn after its deadline is expired', () => {
  expect(withdrawn(approval(), 'x', at(900)).state).toBe('expired')
})

test('whatever comes in whatever order: granted only by enough people, used once, final for good', () => {
  const people = [bo, cy, person('dan', ['dba']), person('bo-too', ['dba'], { subject: 'bo' })]
  const step = fc.record({
    what: fc.constantFrom('approve', 'deny', 'expire', 'withdraw', 'use'),
    who: fc.nat(people.length - 1),
    after: fc.integer({ min: 0, max: 400 }),
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 12 }), (quorum, steps) => {
      const need = { policies: ['p'], rules: [rule({ quorum })], reason: 'r' }
      let now: Approval = approval({ need })
      let seconds = 0
      let ran = 0
      for (const { what, who, after } of steps) {
        seconds += after
        const before = now
        try {
          now = moved(now, what, people[who] ?? bo, at(seconds))
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^APPROVAL_/) })
          continue
        }
        if (!isOpen(before)) expect(now).toBe(before)
        if (what === 'use') {
          ran += 1
          expect(before.state).toBe('granted')
          expect(seconds * 1000).toBeLessThan(before.expiresAt.getTime() - EPOCH)
          const yes = before.decisions.filter(({ verdict }) => verdict === 'approve')
          expect(new Set(yes.map(({ person }) => person.subject)).size).toBeGreaterThanOrEqual(quorum)
          expect(before.decisions.some(({ verdict }) => verdict === 'deny')).toBe(false)
        }
      }
      expect(ran).toBeLessThanOrEqual(1)
    }),
    { numRuns: 2000 },
  )
})

function moved(now: Approval, what: string, who: typeof bo, when: Date): Approval {
  switch (what) {
    case 'approve':
    case 'deny':
      return decided(now, decision(who, { verdict: what, at: when }))
    case 'expire':
      return expired(now, when)
    case 'withdraw':
      return withdrawn(now, 'gone', when)
    default:
      return used(now, when)
  }
}
