import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Catalog, Relation } from '../access/catalog.ts'
import { catalogOf, tableOf } from '../access/catalog.fixture.ts'
import type { Principal } from '../access/model.ts'
import { capabilityFor } from './capability-for.ts'
import { principalKey } from './circumstances.ts'
import type { DecisionPoint } from './decision-point.ts'
import {
  ANA,
  CONTEXT,
  DEPLOY,
  DORA,
  INSIGHT,
  SHOP,
  ask,
  pointOf,
  resourcesOf,
  table,
} from './policy-fixtures.ts'

const DEMO = new URL('../../../cli/src/dev/shop/resources/policies.cedar', import.meta.url)

function relation(schema: string, name: string): Relation {
  return tableOf(`${schema}.${name}`)
}

const CATALOG: Catalog = catalogOf(
  [
    relation('public', 'orders'),
    relation('public', 'employees'),
    relation('private', 'notes'),
    relation('pg_catalog', 'pg_class'),
    relation('information_schema', 'tables'),
  ],
  { schemas: ['public', 'private', 'pg_catalog', 'information_schema'] },
)

function grants(point: DecisionPoint, who: Principal, more: Partial<typeof CONTEXT> = {}): string[] {
  const { grants } = capabilityFor(point, who, SHOP, CATALOG, { ...CONTEXT, ...more })
  return grants.map((grant) => `${grant.verb} ${grant.schema}.${grant.table}`)
}

describe('under the demo’s policies', () => {
  const demo = pointOf(readFileSync(DEMO, 'utf8'))

  test('data science may read everything but employees, and write nothing', () => {
    expect(grants(demo, INSIGHT)).toEqual(['select private.notes', 'select public.orders'])
    expect(capabilityFor(demo, INSIGHT, SHOP, CATALOG, CONTEXT).readOnly).toBe(true)
  })
  test('devops may delete and update, because some such statements are permitted', () => {
    expect(grants(demo, DEPLOY)).toEqual(
      ['employees', 'orders'].flatMap((name) =>
        ['delete', 'insert', 'select', 'update'].map((verb) => `${verb} public.${name}`),
      ),
    )
  })
  test('nobody may do anything to the system’s schemas, nor create anything', () => {
    expect(grants(demo, DORA)).toEqual([
      'select private.notes',
      'select public.employees',
      'select public.orders',
    ])
    expect(capabilityFor(demo, DORA, SHOP, CATALOG, CONTEXT).createIn).toEqual([])
  })
})

const permit = (action: string, condition = '') =>
  pointOf(`@id("p") permit (principal, action == Action::"${action}", resource) ${condition};`)

test('creates in the schemas where create is permitted', () => {
  expect(capabilityFor(permit('create'), ANA, SHOP, CATALOG, CONTEXT).createIn).toEqual(['private', 'public'])
})

test('has nothing for merge by itself', () => {
  expect(grants(permit('merge'), ANA)).toEqual([])
})

test.each([
  'when { context.statement has limit && context.statement.limit <= 100 }',
  'when { context.statement has limit && context.statement.limit == 77 }',
  'when { context.statement has limit && context.statement.limit > 500 }',
  'unless { context.statement has limit }',
  'when { context.statement.functions.contains("now") }',
  'when { context.statement.functions.containsAll(["now", "lower"]) }',
  'when { context.statement.multi }',
  'unless { context.statement.hasWhere }',
  'when { context.statement.whereIsTrivial }',
  'when { context.statement.reading == "complete" }',
])('grants what some statement may do: select %s', (condition) => {
  expect(grants(permit('select', condition), ANA)).toHaveLength(3)
})

test.each([
  'when { context.statement.hasWhere && !context.statement.hasWhere }',
  'when { context.statement.reading == "opaque" }',
  'when { context has purpose && context.purpose == "INC-1" }',
  'when { context.via == "mcp" }',
])('grants nothing that no statement of this session may do: select %s', (condition) => {
  expect(grants(permit('select', condition), ANA)).toEqual([])
})

test('follows the purpose, the address and the time it is asked for', () => {
  const purpose = permit('select', 'when { context has purpose && context.purpose == "INC-1" }')
  expect(grants(purpose, ANA)).toEqual([])
  expect(grants(purpose, ANA, { purpose: 'INC-1' })).toHaveLength(3)
  const hours = permit('select', 'when { context.time.hour < 17 }')
  expect(grants(hours, ANA)).toHaveLength(3)
  expect(grants(hours, ANA, { now: Date.parse('2026-03-04T18:00:00Z') })).toEqual([])
})

describe('down to columns', () => {
  const customers = tableOf('public.customers', ['email', 'id', 'ssn'])
  const view = (name: string, uses: Relation['uses']): Relation =>
    tableOf(name, ['a'], { kind: 'view', uses })
  const of = (policies: string, relations: readonly Relation[], yaml?: string): string[] =>
    capabilityFor(pointOf(policies, yaml), ANA, SHOP, catalogOf(relations), CONTEXT).grants.map(
      ({ verb, table, columns }) =>
        `${verb} ${table}${columns === undefined ? '' : ` (${columns.join(' ')})`}`,
    )
  const ALL = '@id("all") permit (principal, action in Action::"read", resource);'
  const SYSTEM = 'cmax cmin ctid'
  const REST = 'tableoid xmax xmin'

  test('a column that is forbidden is left out, and what the system adds to each row is not', () => {
    const no = '@id("no") forbid (principal, action, resource == Column::"shop/public.customers.ssn");'
    expect(of(ALL + no, [customers])).toEqual([`select customers (${SYSTEM} email id ${REST})`])
  })
  test('only the columns that are permitted, and nothing of the system’s', () => {
    const some = `@id("some") permit (principal, action in [Action::"select", Action::"update", Action::"delete"], resource)
      when { resource in [Column::"shop/public.customers.id", Column::"shop/public.customers.email"] };`
    expect(of(some, [customers])).toEqual(['select customers (email id)', 'update customers (email id)'])
  })
  test('a data class that is forbidden takes its columns, wherever they are', () => {
    const classes = `kind: Classification
target: shop
fields:
  - { field: public.customers.email, class: pii.email }
  - { field: public.staff.mail, class: pii.email }
`
    const no = '@id("no") forbid (principal, action, resource in DataClass::"pii");'
    const staff = tableOf('public.staff', ['id', 'mail'])
    expect(of(ALL + no, [customers, staff, tableOf('public.orders', ['id'])], classes)).toEqual([
      `select customers (${SYSTEM} id ssn ${REST})`,
      'select orders',
      `select staff (${SYSTEM} id ${REST})`,
    ])
  })
  test('all columns, each permitted by itself, are the whole table', () => {
    const columns = '@id("c") permit (principal, action == Action::"select", resource is Column);'
    const table = '@id("t") permit (principal, action == Action::"select", resource is Table);'
    expect(of(columns, [customers])).toEqual(['select customers (email id ssn)'])
    expect(of(columns + table, [customers])).toEqual(['select customers'])
  })
  test('a view is left out when something below it is forbidden, however deep, and needs no permit below', () => {
    const names = view('public.names', [{ schema: 'public', name: 'customers', columns: ['id'] }])
    const numbers = view('public.numbers', [{ schema: 'public', name: 'customers', columns: ['id', 'ssn'] }])
    const deep = view('public.deep', [{ schema: 'public', name: 'numbers', columns: ['a'] }])
    const relations = [customers, names, numbers, deep]
    const views = `@id("v") permit (principal, action == Action::"select", resource)
      when { resource in [Table::"shop/public.names", Table::"shop/public.numbers", Table::"shop/public.deep"] };`
    expect(of(views, relations)).toEqual(['select deep', 'select names', 'select numbers'])
    const column = '@id("no") forbid (principal, action, resource == Column::"shop/public.customers.ssn");'
    expect(of(views + column, relations)).toEqual(['select names'])
    const table = '@id("no") forbid (principal, action, resource == Table::"shop/public.customers");'
    expect(of(views + table, relations)).toEqual([])
  })
  test('a partition is left out with its parent, and a parent with what is in it', () => {
    const parent = tableOf('public.events', ['id'])
    const child = tableOf('public.events_1', ['id'], { parents: [{ schema: 'public', name: 'events' }] })
    const ban = (name: string) =>
      `@id("no") forbid (principal, action, resource == Table::"shop/public.${name}");`
    expect(of(ALL, [parent, child])).toEqual(['select events', 'select events_1'])
    expect(of(ALL + ban('events'), [parent, child])).toEqual([])
    expect(of(ALL + ban('events_1'), [parent, child])).toEqual([])
  })
  test('DELETE is left out when a cascade would do what is forbidden', () => {
    const orders = (onDelete: 'cascades' | 'changes' | 'refuses', more: Partial<Relation> = {}) =>
      tableOf('public.orders', ['customer'], {
        foreignKeys: [
          {
            name: 'f',
            columns: ['customer'],
            references: { schema: 'public', name: 'customers' },
            onDelete,
            onUpdate: 'refuses',
          },
        ],
        ...more,
      })
    const policies = `@id("d") permit (principal, action == Action::"delete", resource == Table::"shop/public.customers");
      @id("no") forbid (principal, action == Action::"delete", resource == Table::"shop/public.orders");`
    expect(of(policies, [customers, orders('refuses')])).toEqual(['delete customers'])
    expect(of(policies, [customers, orders('changes')])).toEqual(['delete customers'])
    expect(of(policies, [customers, orders('cascades')])).toEqual([])
  })
  test('what a view leads to may go round in circles', () => {
    const a = view('public.a', [{ schema: 'public', name: 'b', columns: [] }])
    const b = view('public.b', [{ schema: 'public', name: 'a', columns: [] }])
    expect(of(ALL, [a, b])).toEqual(['select a', 'select b'])
  })
})

test('is kept for the same question, and forgotten with the policies', () => {
  const point = permit('select')
  const first = capabilityFor(point, ANA, SHOP, CATALOG, CONTEXT)
  expect(capabilityFor(point, ANA, SHOP, CATALOG, { ...CONTEXT, sessionId: 'ses_2', now: 1 })).toBe(first)
  point.swap(resourcesOf(''))
  expect(grants(point, ANA)).toEqual([])
})

test('equals what asking for each of 1,000 tables would give', () => {
  const relations = Array.from({ length: 1000 }, (_, i) => relation(`s${i % 3}`, `t${i}`))
  const catalog = catalogOf(relations, { version: '2', schemas: ['s0', 's1', 's2'] })
  const point = pointOf(`
    @id("a") permit (principal in Group::"data-science", action == Action::"select", resource in Schema::"shop/s0");
    @id("b") permit (principal, action == Action::"select", resource in Database::"shop/shop")
      when { (resource in Schema::"shop/s1" || resource == Table::"shop/s2.t2") && resource != Table::"shop/s1.t4" };
    @id("c") forbid (principal, action, resource == Table::"shop/s0.t3");`)
  const { grants } = capabilityFor(point, ANA, SHOP, catalog, CONTEXT)
  const each = relations.filter(
    ({ schema, name }) => ask(point, ANA, 'select', table(name, schema)).effect === 'permit',
  )
  expect(new Set(grants.map((grant) => grant.table))).toEqual(new Set(each.map(({ name }) => name)))
  expect(grants).toHaveLength(each.length)
  expect(each.length).toBeGreaterThan(600)
})

test('principals that a policy can tell apart have different keys', () => {
  const person = fc.record({
    kind: fc.constantFrom<Principal['kind']>('user', 'agent'),
    id: fc.constantFrom('a', 'b'),
    issuer: fc.constant('i'),
    subject: fc.constant('s'),
    groups: fc.subarray(['x', 'y']),
    attributes: fc.dictionary(fc.constantFrom('k', 'l'), fc.constantFrom('1', '2')),
  })
  fc.assert(
    fc.property(person, person, (a, b) => {
      const same = JSON.stringify([a.kind, a.id, a.groups]) === JSON.stringify([b.kind, b.id, b.groups])
      const attributes = (p: typeof a) => JSON.stringify([p.attributes.k, p.attributes.l])
      expect(principalKey(a) === principalKey(b)).toBe(same && attributes(a) === attributes(b))
      expect(principalKey({ ...a, actingFor: b })).not.toBe(principalKey(a))
    }),
  )
})
