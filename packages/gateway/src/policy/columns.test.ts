import { describe, expect, test } from 'vitest'
import type { Action } from '../access/model.ts'
import { ANA, SHOP, ask, pointOf, table } from './policy-fixtures.ts'
import type { DecisionPoint } from './decision-point.ts'

const CLASSES = `kind: Classification
target: shop
fields:
  - { field: public.customers.email, class: pii.email }
  - { field: public.customers.ssn, class: pii.ssn }
  - { field: public.employees.profile->bank->iban, class: pci.iban }
---
kind: DataClass
name: pii.ssn
in: government-id
`

function decided(
  point: DecisionPoint,
  columns: readonly string[],
  name = 'customers',
  action: Action = 'select',
) {
  const { effect, policies } = ask(point, ANA, action, table(name), { columns })
  return `${effect} ${policies.join(' ')}`.trim()
}

describe('a permit for a table', () => {
  const point = pointOf(
    `@id("reads") permit (principal, action == Action::"select", resource == Table::"shop/public.customers");
     @id("no-ssn") forbid (principal, action in Action::"read", resource == Column::"shop/public.customers.ssn");
     @id("other") permit (principal is Agent, action, resource in Column::"shop/public.customers.email");`,
  )
  test.each([
    [['id', 'name'], 'permit reads'],
    // A policy on agents names it, and changes nothing for others: `== Table` holds for its columns.
    [['email'], 'permit reads'],
    [['id', 'ssn'], 'deny no-ssn'],
    [['ssn'], 'deny no-ssn'],
    [[], 'permit reads'],
  ])('is one for its columns %o: %s, unless something is said about them', (columns, expected) => {
    expect(decided(point, columns)).toBe(expected)
  })

  test('says which column it is about', () => {
    expect(ask(point, ANA, 'select', table('customers'), { columns: ['ssn'] })).toMatchObject({
      reason: expect.stringContaining('select on public.customers.ssn is not permitted for ana'),
    })
  })
})

describe('a ban on a table', () => {
  test.each([
    '@id("no") forbid (principal, action, resource == Table::"shop/public.employees");',
    '@id("no") forbid (principal, action, resource is Table in Schema::"shop/public");',
    '@id("no") forbid (principal, action, resource is Table) when { [Table::"shop/public.employees"].contains(resource) };',
  ])('is one on its columns, also those that other policies permit: %s', (ban) => {
    const point = pointOf(`${ban}
      @id("all") permit (principal, action, resource);
      @id("names") permit (principal, action, resource == Column::"shop/public.employees.name");`)
    expect(decided(point, ['name'], 'employees')).toBe('deny no')
  })

  test('can leave out columns that it names', () => {
    const point = pointOf(`@id("all") permit (principal, action, resource);
      @id("no") forbid (principal, action, resource in Table::"shop/public.employees")
      unless { resource == Column::"shop/public.employees.name" };`)
    expect(decided(point, ['name'], 'employees')).toBe('permit all')
    expect(decided(point, ['name', 'salary'], 'employees')).toBe('deny no')
    expect(decided(point, [], 'employees')).toBe('deny no')
  })
})

test('a permit that leaves out a table leaves out its columns, whoever names those', () => {
  const point = pointOf(`@id("reads") permit (principal, action, resource in Schema::"shop/public")
      unless { resource == Table::"shop/public.employees" };
    @id("agents") permit (principal is Agent, action, resource == Column::"shop/public.employees.name");`)
  expect(decided(point, ['name'], 'employees')).toBe('deny')
})

describe('a permit for columns', () => {
  const point =
    pointOf(`@id("names") permit (principal, action in [Action::"select", Action::"update"], resource)
    when { resource in [Column::"shop/public.employees.name", Column::"shop/public.employees.id"] };`)
  test.each([
    [['id', 'name'], 'select', 'permit names'],
    [['name'], 'update', 'permit names'],
    [['id', 'salary'], 'select', 'deny'],
    [[], 'select', 'deny'],
    [['name'], 'insert', 'deny'],
  ] as const)('%o by %s: %s', (columns, action, expected) => {
    expect(decided(point, columns, 'employees', action)).toBe(expected)
  })
})

describe('a policy on a data class', () => {
  const point = pointOf(
    `@id("all") permit (principal, action, resource);
     @id("no-pii") forbid (principal, action in Action::"read", resource in DataClass::"pii");
     @id("no-ids") forbid (principal, action in Action::"write", resource in DataClass::"government-id");`,
    CLASSES,
  )
  test.each([
    [['id'], 'select', 'customers', 'permit all'],
    [['email'], 'select', 'customers', 'deny no-pii'],
    // Its resource says that it is in another class than its name does.
    [['ssn'], 'select', 'customers', 'permit all'],
    [['ssn'], 'update', 'customers', 'deny no-ids'],
    [['email'], 'update', 'customers', 'permit all'],
    [['profile'], 'select', 'employees', 'permit all'],
  ] as const)('is one on its columns: %o by %s on %s', (columns, action, name, expected) => {
    expect(decided(point, columns, name, action)).toBe(expected)
  })

  test('holds for columns that have something of the class inside', () => {
    const banks = pointOf(
      `@id("all") permit (principal, action, resource);
       @id("no-banks") forbid (principal, action, resource is Column in DataClass::"pci");`,
      CLASSES,
    )
    expect(decided(banks, ['profile'], 'employees')).toBe('deny no-banks')
    expect(decided(banks, ['name'], 'employees')).toBe('permit all')
  })

  test('tells only the columns apart that are in it', () => {
    expect(point.columnsApart(SHOP, 'public', 'customers')).toEqual(new Set(['email', 'ssn']))
    expect(point.columnsApart(SHOP, 'public', 'employees')).toEqual(new Set())
    expect(point.columnsApart({ ...SHOP, name: 'other' }, 'public', 'customers')).toEqual(new Set())
  })
})

test('columns that nobody listed are in a class of their own, where a classification says so', () => {
  const point = pointOf(
    `@id("all") permit (principal, action, resource);
     @id("no-new") forbid (principal, action == Action::"select", resource in DataClass::"unlisted");`,
    `${CLASSES}---
kind: Classification
target: shop
unlisted: mask
fields: [{ field: public.orders.note, class: pii.text }]
clear: [public.orders.id]
`,
  )
  expect(decided(point, ['id', 'note'], 'orders')).toBe('permit all')
  expect(decided(point, ['added_later'], 'orders')).toBe('deny no-new')
  expect(decided(point, ['added_later'], 'customers')).toBe('permit all')
})

test('a policy on columns in general is asked about each of them', () => {
  const point = pointOf(
    '@id("columns") permit (principal, action, resource is Column in Table::"shop/public.customers");',
  )
  expect(point.columnsApart(SHOP, 'public', 'customers')).toBe('all')
  expect(decided(point, ['id', 'email'])).toBe('permit columns')
  expect(decided(point, ['id'], 'orders')).toBe('deny')
  expect(decided(point, [])).toBe('deny')
})

describe('what happens by way of something else', () => {
  const through = { schema: 'public', table: 'v', by: 'view' } as const
  const point = pointOf(`
    @id("no-ssn") forbid (principal, action, resource == Column::"shop/public.customers.ssn");
    @id("no-employees") forbid (principal, action, resource == Table::"shop/public.employees");
    @id("ask") @approvers("group:dba") forbid (principal, action, resource == Table::"shop/public.orders")
    unless { context has approval };`)
  test('needs no permit', () => {
    const decision = ask(point, ANA, 'select', table('customers'), { columns: ['id'], through })
    expect(decision).toMatchObject({ effect: 'permit', policies: [] })
  })
  test('is denied by what forbids it', () => {
    expect(ask(point, ANA, 'select', table('employees'), { columns: ['id'], through })).toMatchObject({
      effect: 'deny',
      policies: ['no-employees'],
      reason: expect.stringContaining('select on public.employees, through public.v,'),
    })
    const ssn = ask(point, ANA, 'select', table('customers'), { columns: ['id', 'ssn'], through })
    expect(ssn).toMatchObject({ effect: 'deny', policies: ['no-ssn'] })
  })
  test('waits for people where policy says so', () => {
    const decision = ask(point, ANA, 'update', table('orders'), { through })
    expect(decision).toMatchObject({ effect: 'deny', approval: { policies: ['ask'] } })
  })
})
