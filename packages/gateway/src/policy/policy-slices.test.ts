import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ACTIONS } from '../access/model.ts'
import type { Principal } from '../access/model.ts'
import { cedarContext, principalEntities, resourceEntities } from './cedar-request.ts'
import { ACTION_GROUPS, CEDAR_SCHEMA } from './cedar-schema.ts'
import { lineage, principalEntity } from './entity-ids.ts'
import { CONTEXT, DATABASE, FACTS, SHOP, TARGET, ask, pointOf, principal, table } from './policy-fixtures.ts'
import { CONTEXT_PARTS } from './policy-uses.ts'

const groups = ['a', 'b', 'c']
const who = fc.constantFrom(
  'principal',
  'principal is Agent',
  'principal == User::"ana"',
  ...groups.flatMap((group) => [`principal in Group::"${group}"`, `principal is User in Group::"${group}"`]),
)
const doing = fc.constantFrom(
  'action',
  'action in Action::"read"',
  'action in [Action::"write", Action::"connect"]',
  'action == Action::"select"',
  'action == Action::"drop"',
)
const on = fc.constantFrom(
  'resource',
  'resource is Table',
  'resource in Target::"shop"',
  'resource in Schema::"shop/public"',
  'resource == Table::"shop/public.t"',
  'resource is Table in Database::"shop/shop"',
)
const condition = fc.constantFrom(
  '',
  'when { resource in Schema::"shop/public" }',
  'when { action in Action::"read" }',
  'unless { principal in Group::"a" }',
  'when { principal in [Group::"b", Group::"c"] }',
  'when { resource.hasTag("env") && resource.getTag("env") == "prod" }',
  'when { principal.issuer like "https:*" }',
  'when { context.time.hour > 9 }',
)
const parts = fc.tuple(fc.constantFrom('permit', 'permit', 'forbid'), who, doing, on, condition)
const policy = parts
  .map(([effect, p, a, r, when]) => `${effect} (${p}, ${a}, ${r}) ${when};`)
  .filter(isUsable)
const kind = fc.constantFrom<Principal['kind']>('user', 'agent', 'service')
const resource = fc.constantFrom(TARGET, DATABASE, table('t'), table('u'), table('t', 'other'))

/** Only whoever asks about an inference says of which kind it is. */
function around(action: (typeof ACTIONS)[number]) {
  return action === 'infer' ? { ...CONTEXT, inference: 'equality' } : CONTEXT
}

/** All policies, all entities with all their data, the whole context: Cedar itself, with nothing left out. */
function wholeSet(policies: string, asker: Principal, action: (typeof ACTIONS)[number], on_: typeof TARGET) {
  const answer = cedar.isAuthorized({
    principal: principalEntity(asker),
    action: { type: 'Action', id: action },
    resource: lineage(SHOP, on_)[0],
    context: cedarContext(around(action), FACTS, new Set(CONTEXT_PARTS)),
    schema: CEDAR_SCHEMA,
    validateRequest: false,
    policies: { staticPolicies: policies },
    entities: [...principalEntities(asker, true, 'all'), ...resourceEntities(SHOP, lineage(SHOP, on_), true)],
  })
  return answer.type === 'success' ? answer.response.decision : answer.errors[0]?.message
}

test('a slice decides as the whole set does', () => {
  fc.assert(
    fc.property(
      fc.array(policy, { minLength: 1, maxLength: 8 }),
      kind,
      fc.subarray(groups),
      fc.constantFrom(...ACTIONS),
      resource,
      (texts, kindOfAsker, memberOf, action, asked) => {
        const asker = principal(kindOfAsker, 'ana', memberOf)
        using point = pointOf(texts.map((text, i) => `@id("p${i}") ${text}`).join('\n'))
        const expected = wholeSet(texts.join('\n'), asker, action, asked) === 'allow' ? 'permit' : 'deny'
        expect(ask(point, asker, action, asked).effect).toBe(expected)
      },
    ),
    { numRuns: 100 },
  )
})

function isUsable(text: string): boolean {
  const answer = cedar.validate({ schema: CEDAR_SCHEMA, policies: { staticPolicies: { p: text } } })
  return answer.type === 'success' && answer.validationErrors.length + answer.validationWarnings.length === 0
}

test('the schema’s groups of actions are the ones that requests carry', () => {
  const point = pointOf('@id("p") permit (principal, action in Action::"write", resource);')
  for (const action of ACTIONS) {
    const expected = ACTION_GROUPS[action] === 'write' ? 'permit' : 'deny'
    expect([action, ask(point, principal('user', 'x', []), action, table('t')).effect]).toEqual([
      action,
      expected,
    ])
  }
})

test('1,000 policies, and more kinds of requests than slices are kept, are decided all the same', () => {
  const policies = Array.from(
    { length: 1000 },
    (_, i) =>
      `@id("p${i}") permit (principal, action == Action::"select", resource == Table::"shop/public.t${i}");`,
  )
  using point = pointOf(policies.join('\n'))
  const asker = principal('user', 'x', [])
  for (const round of [0, 1, 0]) {
    for (let i = round; i < 1000; i += 3) {
      expect(ask(point, asker, 'select', table(`t${i}`)).policies).toEqual([`p${i}`])
      expect(ask(point, asker, 'insert', table(`t${i}`)).effect).toBe('deny')
    }
  }
})
