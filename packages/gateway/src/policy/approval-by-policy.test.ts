import { describe, expect, test } from 'vitest'
import type { GrantedApproval } from '../access/approval.ts'
import { ANA, CONTEXT, ask, pointOf, table } from './policy-fixtures.ts'

const NEEDS = `@id("all") permit (principal, action in [Action::"delete", Action::"insert"], resource);
  @id("dba-approves") @approvers("group:dba") @reason("rows do not come back")
  forbid (principal, action == Action::"delete", resource)
  unless { context has approval && context.approval.groups.contains("dba") };`

const given: GrantedApproval = {
  id: 'apr_1',
  approvedBy: ['dora'],
  groups: ['dba'],
  grantedAt: CONTEXT.now - 1000,
}

function decide(
  policies: string,
  approval?: GrantedApproval,
  action: 'delete' | 'insert' | 'update' = 'delete',
) {
  const context = approval === undefined ? {} : { approval }
  return ask(pointOf(policies), ANA, action, table('orders'), { context })
}

describe('a forbid that people can lift', () => {
  test('asks them', () => {
    expect(decide(NEEDS)).toEqual({
      effect: 'deny',
      policies: ['dba-approves'],
      reason:
        'delete on public.orders needs an approval by one of dba: rows do not come back (policy dba-approves)',
      code: 'ACCESS_POLICY_DENIED',
      approval: {
        policies: ['dba-approves'],
        rules: [{ policy: 'dba-approves', approvers: ['dba'], quorum: 1, ttlSeconds: 900 }],
        reason: 'rows do not come back',
      },
    })
  })

  test('permits once they have said yes', () => {
    expect(decide(NEEDS, given)).toMatchObject({ effect: 'permit', policies: ['all'] })
  })

  test('is a plain denial with an approval that is not the one it asks for', () => {
    const decision = decide(NEEDS, { ...given, groups: ['interns'] })
    expect(decision).toMatchObject({ effect: 'deny', policies: ['dba-approves'] })
    expect(decision).not.toHaveProperty('approval')
  })

  test('is a plain denial where no policy permits it even then, and says so', () => {
    const decision = decide(
      NEEDS.replace('action in [Action::"delete", Action::"insert"]', 'action == Action::"insert"'),
    )
    expect(decision).toMatchObject({ hint: expect.stringContaining('an approval would not help') })
    expect(decision).not.toHaveProperty('approval')
  })

  test('is a plain denial beside a forbid that nobody can lift', () => {
    const decision = decide(`${NEEDS} @id("never") forbid (principal, action == Action::"delete", resource);`)
    expect(decision).toMatchObject({ effect: 'deny', policies: ['dba-approves', 'never'] })
    expect(decision).not.toHaveProperty('approval')
  })

  test('is a plain denial when the approval would only bring up another forbid', () => {
    const decision = decide(`${NEEDS} @id("not-approved-things") forbid (principal, action, resource)
      when { context has approval };`)
    expect(decision).not.toHaveProperty('approval')
  })

  test('asks as many as it wants, for as long as it says', () => {
    const policies = `@id("all") permit (principal, action, resource);
      @id("two") @approvers("group:dba, group:security") @quorum("2") @ttl("2h")
      forbid (principal, action == Action::"delete", resource)
      unless { context has approval && context.approval.quorum >= 2 &&
               context.approval.at > context.time.at.offset(duration("-2h")) };`
    expect(decide(policies)).toMatchObject({
      approval: { rules: [{ policy: 'two', approvers: ['dba', 'security'], quorum: 2, ttlSeconds: 7200 }] },
    })
    expect(decide(policies, given).effect).toBe('deny')
    // The same person twice is one person.
    expect(decide(policies, { ...given, approvedBy: ['dora', 'dora'] }).effect).toBe('deny')
    expect(decide(policies, { ...given, approvedBy: ['dora', 'sam'] }).effect).toBe('permit')
    const old = { ...given, approvedBy: ['dora', 'sam'], grantedAt: CONTEXT.now - 3 * 3600_000 }
    expect(decide(policies, old).effect).toBe('deny')
  })

  test('keeps its own rule beside others that ask as well', () => {
    const decision = decide(`${NEEDS} @id("security-approves") @approvers("group:security")
      forbid (principal, action in Action::"write", resource)
      unless { context has approval && context.approval.groups.contains("security") };`)
    expect(decision).toMatchObject({
      approval: { rules: [{ policy: 'dba-approves' }, { policy: 'security-approves' }] },
    })
  })

  test('asks once for all columns of an operation', () => {
    const point = pointOf(`@id("all") permit (principal, action, resource);
      @id("ssn") @approvers("group:privacy") forbid (principal, action, resource == Column::"shop/public.c.ssn")
      unless { context has approval };
      @id("iban") @approvers("group:finance") forbid (principal, action, resource == Column::"shop/public.c.iban")
      unless { context has approval };`)
    expect(ask(point, ANA, 'select', table('c'), { columns: ['iban', 'id', 'ssn'] })).toMatchObject({
      policies: ['iban', 'ssn'],
      approval: { rules: [{ policy: 'iban' }, { policy: 'ssn' }] },
    })
  })
})

test('a permit with an alarm is named as the reason for one', () => {
  const point = pointOf(
    `@id("reads") permit (principal, action == Action::"select", resource);
    @id("glass") @alarm("the glass was broken") permit (principal, action in Action::"write", resource)
    when { context has purpose && context.purpose like "break-glass: *" };`,
  )
  const context = { purpose: 'break-glass: orders are stuck' }
  expect(ask(point, ANA, 'update', table('t'), { context })).toMatchObject({
    effect: 'permit',
    alarms: ['glass'],
  })
  expect(ask(point, ANA, 'select', table('t'), { context })).not.toHaveProperty('alarms')
  expect(ask(point, ANA, 'update', table('t')).effect).toBe('deny')
})

const forbid = 'forbid (principal, action, resource) unless { context has approval };'
test.each([
  [`@approvers("dba") ${forbid}`, '1:10: @approvers: "dba" is no group (write "group:dba")'],
  [`@approvers("user:dora") ${forbid}`, '1:10: @approvers: "user:dora" is no group (write "group:dora")'],
  [`@approvers(" , ") ${forbid}`, '@approvers names nobody'],
  [`@approvers("group:a") @quorum("0") ${forbid}`, '1:32: @quorum("0") is no number of people'],
  [`@approvers("group:a") @quorum("two") ${forbid}`, '@quorum("two") is no number of people'],
  [`@approvers("group:a") @ttl("soon") ${forbid}`, '1:32: @ttl("soon") is no time'],
  [`@approvers("group:a") @ttl("48h") ${forbid}`, '@ttl("48h") is no time'],
  [`@quorum("2") ${forbid}`, '@quorum says nothing without @approvers'],
  ['@approvers("group:a") forbid (principal, action, resource);', 'never looks at context.approval'],
  ['@approvers("group:a") permit (principal, action, resource);', '@approvers is for a forbid'],
  ['@alarm("x") forbid (principal, action, resource);', '@alarm is for a permit'],
  ['@reviewers("group:dba") permit (principal, action, resource);', '@reviewers says nothing without @alarm'],
  ['@alarm("x") @reviewers("dba") permit (principal, action, resource);', '"dba" is no group'],
  ['@alarm("x") @reviewers("") permit (principal, action, resource);', '@reviewers names nobody'],
  ['@alarm permit (principal, action, resource);', '@alarm has no words'],
])('is refused when it is loaded: %s', (policy, expected) => {
  expect(() => pointOf(`@id("p") ${policy}`)).toThrow(expected)
})
