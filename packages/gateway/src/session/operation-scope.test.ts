import { expect, test } from 'vitest'
import { capabilityOf, type Grant } from '../access/capability.ts'
import { NO_FLOW } from '../access/data-flow.ts'
import type { Operation, StatementReading } from '../access/model.ts'
import { ANA, CONTEXT, FACTS, pointOf, SHOP } from '../policy/policy-fixtures.ts'
import { OperationScopes } from './operation-scope.ts'

const table = (name: string) => ({ type: 'Table', schema: 'public', table: name }) as const
const on = (name: string, verb: Grant['verb'], columns?: readonly string[]): Grant => ({
  verb,
  schema: 'public',
  table: name,
  ...(columns === undefined ? {} : { columns }),
})
const PERMITTED = capabilityOf(
  [on('customers', 'select', ['email', 'id']), on('customers', 'update'), on('orders', 'select')],
  ['public'],
)
const point = pointOf(`
  @id("all") permit (principal, action, resource);
  @id("no") forbid (principal, action, resource == Column::"shop/public.customers.ssn");
  @id("where") forbid (principal, action == Action::"update", resource) unless { context.statement.hasWhere };`)

function reading(
  operations: readonly Operation[],
  needs: readonly Grant[],
  facts: Partial<StatementReading['facts']> = {},
): StatementReading {
  return { operations, needs, facts: { ...FACTS, ...facts }, dependsOn: 'text', flow: NO_FLOW }
}

const scope = (one: StatementReading, scopes = new OperationScopes()) =>
  scopes.scopeOf({ point, principal: ANA, target: SHOP }, one, PERMITTED, CONTEXT)

const SELECT = reading(
  [{ action: 'select', resource: table('customers'), columns: ['id'] }],
  [on('customers', 'select', ['id'])],
)

test('a statement gets what it needs, and nothing else that is permitted', () => {
  expect(scope(SELECT)).toEqual(capabilityOf([on('customers', 'select', ['id'])]))
})

test('what is needed and not permitted is left out', () => {
  const one = reading(
    [{ action: 'select', resource: table('customers'), columns: ['id'] }],
    [on('customers', 'select', ['id', 'ssn']), on('employees', 'select')],
  )
  expect(scope(one).grants).toEqual([on('customers', 'select', ['id'])])
})

test.each([
  [
    'denied',
    reading(
      [{ action: 'update', resource: table('customers'), columns: ['email'] }],
      [on('customers', 'update', ['email'])],
      { hasWhere: false, readOnly: false },
    ),
  ],
  ['opaque', reading([], [], { reading: 'opaque', readOnly: false })],
  [
    'on a column that is closed',
    reading(
      [{ action: 'select', resource: table('customers'), columns: ['ssn'] }],
      [on('customers', 'select', ['ssn'])],
    ),
  ],
])('a statement that is %s gets nothing', (_what, one) => {
  expect(scope(one)).toMatchObject({ grants: [], createIn: [] })
})

test('what only reads is read-only, and what does not is not, even when it needs no table', () => {
  expect(scope(SELECT).readOnly).toBe(true)
  expect(
    scope(reading([{ action: 'call', resource: { type: 'Target' } }], [], { readOnly: false })).readOnly,
  ).toBe(false)
})

test('making a table takes the schema, if that is permitted', () => {
  const one = reading([{ action: 'create', resource: { type: 'Schema', schema: 'public' } }], [], {
    readOnly: false,
  })
  expect(scope(one).createIn).toEqual(['public'])
  const other = reading([{ action: 'create', resource: { type: 'Schema', schema: 'private' } }], [], {
    readOnly: false,
  })
  expect(scope(other).createIn).toEqual([])
})

test('a statement of which it was not said what the target will check gets what its session may', () => {
  expect(scope(reading([{ action: 'select', resource: table('orders') }], []))).toBe(PERMITTED)
})

test('whoever thinks up ever new statements does not fill the target with roles, and known ones stay what they were', () => {
  const scopes = new OperationScopes()
  const wide = capabilityOf(Array.from({ length: 1000 }, (_, i) => on(`t${i}`, 'select')))
  const asked = (i: number) =>
    scopes.scopeOf(
      { point, principal: ANA, target: SHOP },
      reading([{ action: 'select', resource: table(`t${i}`), columns: [] }], [on(`t${i}`, 'select')]),
      wide,
      CONTEXT,
    )
  const distinct = new Set(Array.from({ length: 1000 }, (_, i) => asked(i).hash))
  expect(distinct.size).toBe(257)
  expect(asked(0).grants).toEqual([on('t0', 'select')])
  expect(asked(999)).toBe(wide)
  expect(
    scopes.scopeOf({ point, principal: ANA, target: { ...SHOP, name: 'other' } }, SELECT, PERMITTED, CONTEXT),
  ).not.toBe(PERMITTED)
})
