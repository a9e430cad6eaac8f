import { describe, expect, test } from 'vitest'
import { NO_FLOW } from '../access/data-flow.ts'
import type { DataFlow } from '../access/data-flow.ts'
import type { GrantedApproval } from '../access/approval.ts'
import type { Operation } from '../access/model.ts'
import { ANA, CONTEXT, FACTS, SHOP, pointOf, table } from '../policy/policy-fixtures.ts'
import { decideStatement } from './decide-statement.ts'

const POLICIES = `
  @id("all") permit (principal, action, resource) unless { action in Action::"ddl" || action in Action::"administer" };
  @id("dba") @approvers("group:dba") @reason("orders are money")
  forbid (principal, action in Action::"write", resource == Table::"shop/public.orders")
  unless { context has approval && context.approval.groups.contains("dba") };
  @id("privacy") @approvers("group:privacy") @quorum("2") @reason("customers are people")
  forbid (principal, action in Action::"write", resource == Table::"shop/public.customers")
  unless { context has approval && context.approval.groups.contains("privacy") };`
const APPROVED: GrantedApproval = {
  id: 'apr_1',
  approvedBy: ['dora', 'pia', 'pavel'],
  groups: ['dba', 'privacy'],
  grantedAt: CONTEXT.now,
}

function decide(
  operations: readonly Operation[],
  {
    approval,
    flow,
    every,
    reading,
  }: {
    approval?: GrantedApproval
    flow?: DataFlow
    every?: boolean
    reading?: 'opaque'
  } = {},
) {
  const facts = { ...FACTS, ...(reading === undefined ? {} : { reading }) }
  return decideStatement(
    pointOf(POLICIES),
    {
      principal: ANA,
      target: SHOP,
      reading: { operations, facts, dependsOn: 'shape', needs: [], flow: flow ?? NO_FLOW },
      context: { ...CONTEXT, ...(approval === undefined ? {} : { approval }) },
    },
    every,
  )
}

const UPDATE_ORDERS: Operation = { action: 'update', resource: table('orders') }
const DELETE_CUSTOMERS: Operation = { action: 'delete', resource: table('customers') }
const DROP: Operation = { action: 'drop', resource: table('orders') }

describe('a statement', () => {
  test('asks people once for all that its operations need', () => {
    expect(decide([UPDATE_ORDERS, DELETE_CUSTOMERS])).toMatchObject({
      effect: 'deny',
      policies: ['dba', 'privacy'],
      approval: {
        rules: [
          { policy: 'dba', approvers: ['dba'], quorum: 1 },
          { policy: 'privacy', approvers: ['privacy'], quorum: 2 },
        ],
        reason: 'orders are money; customers are people',
      },
    })
  })

  test('runs with their approval', () => {
    expect(decide([UPDATE_ORDERS, DELETE_CUSTOMERS], { approval: APPROVED })).toMatchObject({
      effect: 'permit',
      policies: ['all'],
    })
  })

  test('asks nobody when something in it is forbidden anyway, before or after', () => {
    for (const operations of [
      [DROP, UPDATE_ORDERS],
      [UPDATE_ORDERS, DROP],
    ]) {
      const decision = decide(operations)
      expect(decision).toMatchObject({ effect: 'deny', reason: expect.stringContaining('drop') })
      expect(decision).not.toHaveProperty('approval')
    }
  })

  test('shows what comes after a denial to whoever wants to see all of it', () => {
    expect(decide([DROP, UPDATE_ORDERS]).operations).toHaveLength(1)
    expect(
      decide([DROP, UPDATE_ORDERS], { every: true }).operations.map(({ decision }) => decision.effect),
    ).toEqual(['deny', 'deny'])
  })

  test('that touches nothing is asked about as a connection', () => {
    expect(decide([]).operations).toMatchObject([{ operation: { action: 'connect' } }])
  })

  test('that a policy with @alarm lets infer something raises it', () => {
    const point = pointOf(
      `@id("all") permit (principal, action, resource) unless { action in Action::"administer" || action == Action::"reveal" || action == Action::"infer" };
       @id("loud") @alarm("somebody orders by it") permit (principal, action == Action::"infer", resource == DataClass::"pii.ssn");`,
      'kind: Classification\ntarget: shop\nfields: [{ field: public.customers.ssn, class: pii.ssn }]\n',
    )
    const ssn = { schema: 'public', name: 'customers', column: 'ssn' }
    const flow: DataFlow = { ...NO_FLOW, inferences: [{ column: ssn, kind: 'order' }], touched: [ssn] }
    const operations = [{ action: 'select', resource: table('customers') } as const]
    const reading = { operations, facts: FACTS, dependsOn: 'shape', needs: [], flow } as const
    const decision = decideStatement(point, { principal: ANA, target: SHOP, reading, context: CONTEXT })
    expect(decision).toMatchObject({ effect: 'permit', alarms: ['loud'] })
  })

  test('that could not be read is denied', () => {
    expect(decide([], { reading: 'opaque' })).toMatchObject({ code: 'ACCESS_STATEMENT_OPAQUE' })
  })
})
