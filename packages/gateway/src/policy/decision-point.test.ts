import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Action, Principal, Resource, StatementFacts } from '../access/model.ts'
import { Permit } from '../access/permit.ts'
import { CONTEXT_PARTS } from './policy-uses.ts'
import {
  ANA,
  CONTEXT,
  DATABASE,
  DEPLOY,
  DORA,
  INSIGHT,
  OMAR,
  SHOP,
  TARGET,
  ask,
  pointOf,
  principal,
  resourcesOf,
  table,
} from './policy-fixtures.ts'

const DEMO = new URL('../../../cli/src/dev/shop/resources/policies.cedar', import.meta.url)
const demo = pointOf(readFileSync(DEMO, 'utf8'))
const noWhere = { hasWhere: false }

describe('the demo’s policies', () => {
  const rows: [Principal, Action, Resource, Partial<StatementFacts>, string][] = [
    [INSIGHT, 'connect', TARGET, {}, 'permit data-science-connects'],
    [INSIGHT, 'select', table('customers'), {}, 'permit data-science-reads'],
    [INSIGHT, 'select', table('pg_class', 'pg_catalog'), {}, 'permit data-science-reads'],
    [INSIGHT, 'select', table('employees'), {}, 'deny employees-hidden-from-data-science'],
    [INSIGHT, 'copyOut', table('customers'), {}, 'permit data-science-reads'],
    [INSIGHT, 'copyOut', table('employees'), {}, 'deny employees-hidden-from-data-science'],
    [INSIGHT, 'copyIn', table('orders'), {}, 'deny '],
    [INSIGHT, 'update', table('orders'), {}, 'deny '],
    [INSIGHT, 'update', table('orders'), noWhere, 'deny changes-need-a-where'],
    [INSIGHT, 'drop', table('orders'), {}, 'deny structure-is-fixed'],
    [INSIGHT, 'call', DATABASE, {}, 'deny '],
    [ANA, 'select', table('orders'), {}, 'permit data-science-reads'],
    [DEPLOY, 'select', table('employees'), {}, 'permit devops-reads'],
    [DEPLOY, 'select', table('pg_type', 'pg_catalog'), {}, 'permit devops-reads'],
    [DEPLOY, 'select', table('x', 'private'), {}, 'deny '],
    [DEPLOY, 'update', table('orders'), {}, 'permit devops-writes'],
    [DEPLOY, 'update', table('orders'), noWhere, 'deny changes-need-a-where'],
    [DEPLOY, 'delete', table('orders'), { whereIsTrivial: true }, 'deny changes-need-a-where'],
    [DEPLOY, 'truncate', table('orders'), {}, 'deny structure-is-fixed'],
    [OMAR, 'insert', table('orders'), noWhere, 'permit devops-writes'],
    [OMAR, 'insert', table('x', 'private'), {}, 'deny '],
    [OMAR, 'copyIn', table('orders'), noWhere, 'permit devops-writes'],
    [OMAR, 'copyOut', table('orders'), {}, 'permit devops-reads'],
    [OMAR, 'copyOut', table('x', 'private'), {}, 'deny '],
    [DORA, 'select', table('x', 'private'), {}, 'permit dba-reads'],
    [DORA, 'copyOut', table('x', 'private'), {}, 'permit dba-reads'],
    [DORA, 'copyIn', table('orders'), {}, 'deny '],
    [principal('agent', 'dora-bot', ['dba']), 'select', table('orders'), {}, 'deny '],
    [principal('user', 'eve', []), 'connect', TARGET, {}, 'deny '],
  ]
  test.each(rows)('for %o: %s on %o with %o', (who, action, resource, facts, expected) => {
    const decision = ask(demo, who, action, resource, { facts })
    expect(`${decision.effect} ${decision.policies.join(' ')}`).toBe(expected)
  })

  test('do not reach another target’s table of the same name', () => {
    const other = { ...SHOP, name: 'shop2' }
    expect(ask(demo, ANA, 'select', table('orders'), { target: other }).effect).toBe('deny')
  })

  test.each([
    [DORA, 'permit'],
    [ANA, 'deny'],
    [principal('agent', 'dora-bot', ['dba']), 'deny'],
  ])('for %o administering the gateway', (who, effect) => {
    expect(demo.decideAdmin(who, 'killSession', CONTEXT).effect).toBe(effect)
  })
})

describe('a denial', () => {
  test('says what was asked, for whom, and what would permit it', () => {
    expect(ask(demo, INSIGHT, 'update', table('orders'))).toEqual({
      effect: 'deny',
      policies: [],
      reason: 'update on public.orders is not permitted for insight-agent: no policy permits it',
      hint: 'a policy would have to permit Action::"update" on Table::"shop/public.orders" (groups: data-science)',
      code: 'ACCESS_POLICY_DENIED',
    })
  })

  test('quotes the reason and the advice of the policy that forbids', () => {
    expect(ask(demo, INSIGHT, 'select', table('employees'))).toMatchObject({
      reason: expect.stringContaining('holds personnel data'),
      hint: expect.stringContaining('leave employees out'),
    })
  })

  test('names the person an agent acts for', () => {
    const delegated = { ...INSIGHT, actingFor: ANA }
    expect(ask(demo, delegated, 'connect', { type: 'Schema', schema: 'x' })).toMatchObject({
      reason: expect.stringContaining('insight-agent acting for ana'),
    })
  })
})

describe('policy on an agent that acts for a user', () => {
  const point = pointOf(`
    @id("reads") permit (principal in Group::"data-science", action == Action::"select", resource)
    when { principal has actingFor };
    @id("dba-only") permit (principal is Agent, action == Action::"update", resource)
    when { principal has actingFor && principal.actingFor in Group::"dba" };`)

  test('sees the groups of the token as the agent’s', () => {
    expect(ask(point, { ...INSIGHT, actingFor: ANA }, 'select', table('t')).effect).toBe('permit')
  })
  test('sees when it acts for nobody', () => {
    expect(ask(point, INSIGHT, 'select', table('t')).effect).toBe('deny')
  })
  test('sees the groups of the user it acts for', () => {
    expect(ask(point, { ...INSIGHT, actingFor: DORA }, 'update', table('t')).effect).toBe('permit')
    expect(ask(point, { ...INSIGHT, actingFor: ANA }, 'update', table('t')).effect).toBe('deny')
  })
})

describe('a policy that fails while it is evaluated', () => {
  const overflow = 'context.time.epochSeconds * 9223372036854775807 > 0'
  const point = pointOf(`
    @id("all") permit (principal, action, resource);
    @id("broken") forbid (principal, action == Action::"select", resource) when { ${overflow} };
    @id("no-updates") forbid (principal, action == Action::"update", resource);
    @id("broken-too") forbid (principal, action == Action::"update", resource) when { ${overflow} };`)

  test('denies, even though another one permits', () => {
    expect(ask(point, ANA, 'select', table('t'))).toMatchObject({
      effect: 'deny',
      policies: ['broken'],
      code: 'ACCESS_POLICY_ERROR',
      reason: expect.stringContaining('policy broken could not be evaluated'),
    })
  })
  test('leaves the denial to a policy that does forbid', () => {
    expect(ask(point, ANA, 'update', table('t'))).toMatchObject({ policies: ['no-updates'] })
  })
  test('does not touch what it is not about', () => {
    expect(ask(point, ANA, 'insert', table('t')).effect).toBe('permit')
  })
  test('carries its code into the error that is thrown', () => {
    const decision = ask(point, ANA, 'select', table('t'))
    expect(() => Permit.from(decision, ANA, SHOP, new Set())).toThrow(
      expect.objectContaining({ code: 'ACCESS_POLICY_ERROR' }),
    )
  })
})

const when = (condition: string) =>
  pointOf(`@id("p") permit (principal, action == Action::"select", resource) when { ${condition} };`)

const effect = (condition: string, more: Parameters<typeof ask>[4] = {}) =>
  ask(when(condition), { ...ANA, attributes: { team: 'growth' } }, 'select', table('t'), more).effect

describe('the context', () => {
  test.each([
    'context.time.hour == 10 && context.time.minute == 30 && context.time.weekday == 3',
    'context.time.at > datetime("2026-03-04T10:29:59Z") && context.time.at < datetime("2026-03-05")',
    'context.time.year == 2026 && context.time.month == 3 && context.time.day == 4',
    'context.time.epochSeconds == 1772620200',
    'context.sourceIp.isLoopback()',
    'context.via == "postgres"',
    'context.session.id == "ses_1"',
    '!(context has purpose)',
    'context has statement && context.statement.hasWhere',
    'context.statement.functions.isEmpty() && !(context.statement has limit)',
    'context == context',
    'principal.getTag("team") == "growth" || false',
    'principal.issuer == "https://idp.test" && principal.subject == "ana"',
    'resource.hasTag("env") && resource.getTag("env") == "prod"',
    'Target::"shop".protocol == "postgres"',
    'resource in Database::"shop/shop" && action in Action::"read"',
  ])('holds what %s looks at', (condition) => {
    const guarded = condition.startsWith('principal.getTag')
      ? `principal.hasTag("team") && ${condition}`
      : condition
    expect(effect(guarded)).toBe('permit')
  })

  test.each([
    ['10.1.2.3', 'permit'],
    ['::ffff:10.1.2.3', 'permit'],
    ['::FFFF:10.1.2.3', 'permit'],
    ['192.168.0.1', 'deny'],
    ['fe80::1%eth0', 'deny'],
    ['somewhere', 'deny'],
  ])('takes %s for the address that it is', (sourceIp, expected) => {
    expect(effect('context.sourceIp.isInRange(ip("10.0.0.0/8"))', { context: { sourceIp } })).toBe(expected)
  })

  test('without an address that can be read denies where a policy asks for it', () => {
    const point = pointOf(`
      @id("all") permit (principal, action, resource);
      @id("not-from-there") forbid (principal, action == Action::"select", resource)
      when { context.sourceIp.isInRange(ip("10.0.0.0/8")) };`)
    const context = { sourceIp: 'nonsense' }
    expect(ask(point, ANA, 'select', table('t'), { context })).toMatchObject({ code: 'ACCESS_POLICY_ERROR' })
    expect(ask(point, ANA, 'insert', table('t'), { context }).effect).toBe('permit')
  })

  test('has the purpose when one was given', () => {
    const condition = 'context has purpose && context.purpose like "INC-*"'
    expect(effect(condition, { context: { purpose: 'INC-7' } })).toBe('permit')
    expect(effect(condition)).toBe('deny')
  })

  test('has no statement where the connection is asked about', () => {
    const point = pointOf(
      '@id("p") permit (principal, action == Action::"connect", resource) unless { context has statement };',
    )
    const operation = { action: 'connect', resource: TARGET } as const
    expect(point.decide({ principal: ANA, target: SHOP, operation, context: CONTEXT }).effect).toBe('permit')
    expect(ask(point, ANA, 'connect', TARGET).effect).toBe('deny')
  })

  test('that is missing where a policy needs it denies', () => {
    const point = pointOf(`@id("all") permit (principal, action, resource);
      @id("where") forbid (principal, action == Action::"delete", resource) unless { context.statement.hasWhere };`)
    const operation = { action: 'delete', resource: table('t') } as const
    const decision = point.decide({ principal: ANA, target: SHOP, operation, context: CONTEXT })
    expect(decision).toMatchObject({ effect: 'deny', code: 'ACCESS_POLICY_ERROR', policies: ['where'] })
  })
})

test('an opaque statement is denied whatever policy says', () => {
  const point = pointOf('@id("all") permit (principal, action, resource);')
  const decision = ask(point, ANA, 'select', table('t'), { facts: { reading: 'opaque' } })
  expect(decision).toMatchObject({ effect: 'deny', code: 'ACCESS_STATEMENT_OPAQUE' })
})

test('names that need quoting are matched by their own policy only', () => {
  const point = pointOf(
    String.raw`@id("p") permit (principal, action, resource == Table::"shop/public.\"a.b\"");`,
  )
  expect(ask(point, ANA, 'select', table('a.b')).effect).toBe('permit')
  expect(ask(point, ANA, 'select', table('b', 'public.a')).effect).toBe('deny')
})

describe('swapping policies', () => {
  test('raises the epoch and decides by the new ones', () => {
    using point = pointOf('@id("a") permit (principal, action, resource);')
    const { epoch } = point
    expect(ask(point, ANA, 'select', table('t')).effect).toBe('permit')
    point.swap(resourcesOf('@id("a") permit (principal, action == Action::"insert", resource);'))
    expect(point.epoch).toBe(epoch + 1)
    expect(ask(point, ANA, 'select', table('t')).effect).toBe('deny')
  })

  test('frees what was parsed: two decision points do not share it', () => {
    using one = pointOf('@id("a") permit (principal, action, resource);')
    const two = pointOf('@id("a") permit (principal, action, resource);')
    expect(ask(two, ANA, 'select', table('t')).effect).toBe('permit')
    two[Symbol.dispose]()
    expect(ask(one, ANA, 'select', table('t')).effect).toBe('permit')
  })
})

test.each([
  ['', []],
  ['when { context.statement.hasWhere }', ['statement']],
  ['when { context has purpose && context.purpose like "x" }', ['purpose']],
  ['when { context.time.hour > 8 && context.sourceIp.isLoopback() }', ['sourceIp', 'time']],
  ['when { [context.via].contains("mcp") || context.session.id == "x" }', ['session', 'via']],
  ['when { context == context }', CONTEXT_PARTS.toSorted()],
  ['when { {a: context}.a.time.hour > 8 }', CONTEXT_PARTS.toSorted()],
  ['when { (if context.statement.multi then context else context).time.hour > 8 }', CONTEXT_PARTS.toSorted()],
])('a policy with “%s” reads %o of the context', (condition, parts) => {
  const point = pointOf(`@id("p") permit (principal, action == Action::"select", resource) ${condition};`)
  expect([...point.contextUse()].toSorted()).toEqual(parts)
})
