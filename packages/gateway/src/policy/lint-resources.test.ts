import { expect, test } from 'vitest'
import { catalogOf, columnOf, tableOf } from '../access/catalog.fixture.ts'
import { lintResources } from './lint-resources.ts'
import { resourcesOf } from './policy-fixtures.ts'
import { describe as describeProblem } from './resource-problem.ts'

const CATALOG = catalogOf([
  tableOf('customers', ['id', 'email']),
  tableOf('employees', [], { columns: [columnOf('profile', 1, { type: 'jsonb' }), columnOf('name', 2)] }),
  tableOf('v_contact', ['email'], { kind: 'view' }),
])
const CLASSES = `kind: DataClass
name: pii.email
---
kind: Classification
target: shop
fields:
  - { field: public.customers.email, class: pii.email }
`

function found(policies: string, yaml = CLASSES, withCatalog = true): string[] {
  const catalogs = withCatalog ? new Map([['shop', CATALOG]]) : new Map()
  return lintResources(resourcesOf(policies, yaml), catalogs).map(describeProblem)
}

const permit = (resource: string, when = ''): string =>
  `@id("p")\npermit (principal, action == Action::"select", ${resource}) ${when};`

test.each([
  ['resource in Target::"shop"', ''],
  ['resource in Database::"shop/shop"', ''],
  ['resource == Table::"shop/public.customers"', ''],
  ['resource == Column::"shop/public.customers.email"', ''],
  ['resource in Schema::"shop/pg_catalog"', ''],
  ['resource', 'when { resource in DataClass::"pii" }'],
])('finds nothing wrong with %s %s', (resource, when) => {
  expect(found(permit(resource, when))).toEqual([])
})

test.each([
  ['resource in Target::"shpo"', 'p.cedar:2:68: there is no target "shpo" (did you mean "shop"?)'],
  ['resource in Database::"shop/crm"', 'the database of shop is "shop"'],
  ['resource in Schema::"shop/publik"', 'the target has no schema "publik" (did you mean "public"?)'],
  ['resource == Table::"shop/public.custmers"', 'no table public.custmers (did you mean "customers"?)'],
  ['resource == Column::"shop/public.customers.emial"', 'no column "emial" (did you mean "email"?)'],
  ['resource == Table::"shop/public"', 'is no id of a Table'],
  ['resource == Table::"public.customers"', 'is no id of a Table'],
  [
    'resource in DataClass::"pii.emial"',
    'no field is of the data class "pii.emial" (did you mean "pii.email"?)',
  ],
])('finds what %s cannot mean', (resource, expected) => {
  expect(found(permit(resource)).join('\n')).toContain(expected)
})

test('compares with a catalog only where one is known', () => {
  expect(found(permit('resource == Table::"shop/public.custmers"'), CLASSES, false)).toEqual([])
})

test('finds a ban on a table that never applies to the columns that it names', () => {
  const policies = `@id("p") forbid (principal, action == Action::"select", resource == Table::"shop/public.customers")
    unless { context.via == "mcp" && resource in [Column::"shop/public.customers.id"] };`
  expect(found(policies).join('\n')).toContain('what it says of columns never applies')
})

test.each([
  ['public.customers.mail', 'pii.email', 'public.customers has no column "mail" (did you mean "email"?)'],
  ['public.customers.email', 'pii.emial', 'no DataClass "pii.emial"'],
  ['public.v_contact.email', 'pii.email', 'is a view'],
  ['public.employees.name->first', 'pii.email', 'name is text, and not JSON'],
])('finds what is wrong with the field %s of %s', (field, name, expected) => {
  const yaml = `kind: DataClass
name: pii.email
---
kind: Classification
target: shop
fields:
  - { field: ${field}, class: ${name} }
`
  expect(found('', yaml).join('\n')).toContain(expected)
})
