import { describe, expect, test } from 'vitest'
import { ana, approval, asked, bo, person, rule, statement } from './approval.fixture.ts'
import { covers } from './covers.ts'
import { approvalDigest } from './digest.ts'
import type { GrantWish } from './grant-bounds.ts'
import { keepStatement } from './keep-statement.ts'
import type { Approval, ApprovalAsked, BoundStatement } from './ports.ts'

const POLICIES = ['writes-need-people']

function granted(kind: Approval['kind'], grant?: GrantWish, shown: BoundStatement = statement()): Approval {
  return approval({
    kind,
    state: 'granted',
    grant,
    digest: approvalDigest(asked({ statement: shown })),
    statement: keepStatement(shown),
  })
}

const ELSEWHERE: readonly (readonly [string, Partial<ApprovalAsked>])[] = [
  ['another target', { target: 'other' }],
  ['another database', { database: 'other' }],
  ['other policies', { policyVersion: 'v2' }],
  ['another principal', { principal: ana }],
  [
    'another person behind the agent',
    { principal: person('insight-agent', [], { kind: 'agent', actingFor: bo }) },
  ],
]

describe.each(['statement', 'pattern', 'connection'] as const)('a %s', (kind) => {
  const one = granted(kind, kind === 'statement' ? undefined : { kind, seconds: 60 })

  test('covers what was shown', () => {
    expect(covers(one, asked(), POLICIES)).toBe(true)
  })

  test.each(ELSEWHERE)('does not cover %s', (_, changed) => {
    expect(covers(one, asked(changed), POLICIES)).toBe(false)
  })

  test('does not cover what another policy asks, nor what none does', () => {
    expect(covers(one, asked(), [...POLICIES, 'another'])).toBe(false)
    expect(covers(one, asked(), [])).toBe(false)
  })
})

test('a statement covers nothing else', () => {
  const one = granted('statement')
  expect(covers(one, asked({ statement: statement({ searchPath: ['evil'] }) }), POLICIES)).toBe(false)
  expect(covers(one, asked({ statement: undefined }), POLICIES)).toBe(false)
})

describe('a pattern', () => {
  const withId = (id: string, format = 0): Partial<ApprovalAsked> => ({
    statement: statement({
      parameters: [
        { format: 0, type: 25, value: Buffer.from('refunded') },
        { format, type: 23, value: Buffer.from(id) },
      ],
    }),
  })
  const bounded = granted('pattern', {
    kind: 'pattern',
    seconds: 60,
    parameters: [{ number: 2, min: 100, max: 199 }],
  })

  test.each(['100', '150', '199'])('lets a bounded parameter be %s', (id) => {
    expect(covers(bounded, asked(withId(id)), POLICIES)).toBe(true)
  })

  test.each(['99', '200', '', ' 150', '0x96', '1.5e2', 'NaN', '150; --', '-150'])('not %j', (id) => {
    expect(covers(bounded, asked(withId(id)), POLICIES)).toBe(false)
  })

  test('reads binary integers, and nothing binary that it cannot read', () => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(150)
    const binary = (value: Buffer): Partial<ApprovalAsked> => ({
      statement: statement({
        parameters: [
          { format: 0, type: 25, value: Buffer.from('refunded') },
          { format: 1, type: 23, value },
        ],
      }),
    })
    expect(covers(bounded, asked(binary(bytes)), POLICIES)).toBe(true)
    expect(covers(bounded, asked(binary(bytes.subarray(1))), POLICIES)).toBe(false)
  })

  test('keeps every parameter that has no bound', () => {
    const other = statement({
      parameters: [
        { format: 0, type: 25, value: Buffer.from('shipped') },
        { format: 0, type: 23, value: Buffer.from('150') },
      ],
    })
    expect(covers(bounded, asked({ statement: other }), POLICIES)).toBe(false)
  })

  test.each<[string, Partial<BoundStatement>]>([
    ['another text', { text: 'UPDATE orders SET status = $1' }],
    ['another search path', { searchPath: ['evil', 'public'] }],
    ['a parameter more', { parameters: [...statement().parameters, { format: 0, type: 0, value: null }] }],
    ['another reading', { reading: { ...statement().reading, needs: [] } }],
  ])('does not cover %s', (_, changed) => {
    expect(covers(bounded, asked({ statement: statement(changed) }), POLICIES)).toBe(false)
  })

  test('covers other literals only when that was granted, and only of the same shape', () => {
    const shown = statement({
      text: 'DELETE FROM carts WHERE id = 7',
      shape: 'DELETE FROM carts WHERE id = ?',
      parameters: [],
    })
    const other = statement({ ...shown, text: 'DELETE FROM carts WHERE id = 8' })
    const wide = statement({ ...shown, text: 'DELETE FROM carts', shape: 'DELETE FROM carts' })
    const shapeless = statement({ ...shown, text: 'DELETE FROM carts WHERE id = 8 -- x' })
    const { shape: _, ...noShape } = shapeless
    const strict = granted('pattern', { kind: 'pattern', seconds: 60 }, shown)
    const free = granted('pattern', { kind: 'pattern', seconds: 60, anyLiterals: true }, shown)
    expect(covers(strict, asked({ statement: other }), POLICIES)).toBe(false)
    expect(covers(free, asked({ statement: other }), POLICIES)).toBe(true)
    expect(covers(free, asked({ statement: wide }), POLICIES)).toBe(false)
    expect(covers(free, asked({ statement: noShape }), POLICIES)).toBe(false)
  })
})

test('a connection covers other statements that the same policies ask about', () => {
  const one = granted('connection', { kind: 'connection', seconds: 60 })
  expect(
    covers(one, asked({ statement: statement({ text: 'DELETE FROM orders WHERE id = 1' }) }), POLICIES),
  ).toBe(true)
  expect(rule().policy).toBe(POLICIES[0])
})
