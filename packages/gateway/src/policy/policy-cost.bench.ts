import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { catalogOf, tableOf } from '../access/catalog.fixture.ts'
import { capabilityFor } from './capability-for.ts'
import { ANA, CONTEXT, DEPLOY, SHOP, ask, pointOf, principal, table } from './policy-fixtures.ts'

const DEMO = new URL('../../../cli/src/dev/shop/resources/policies.cedar', import.meta.url)
const SCHEMAS = ['public', 's1', 's2']

function manyPolicies(count: number): string {
  return Array.from({ length: count }, (_, i) => {
    const id = `@id("p${i}")`
    if (i % 3 === 0) {
      return `${id} permit (principal in Group::"g${i % 40}", action == Action::"select",
        resource in Schema::"shop/s${i % 50}") when { context.statement.hasWhere };`
    }
    return i % 3 === 1
      ? `${id} permit (principal == User::"u${i}", action in Action::"write", resource == Table::"shop/public.t${i}");`
      : `${id} forbid (principal in Group::"g${i % 40}", action, resource in Schema::"shop/secret${i}")
        unless { context has purpose && context.purpose like "INC-*" };`
  }).join('\n')
}

const demo = pointOf(readFileSync(DEMO, 'utf8'))
const many = pointOf(manyPolicies(1000))
const inManyGroups = principal(
  'user',
  'u',
  Array.from({ length: 10 }, (_, i) => `g${i}`),
)

test('a decision', async ({ bench }) => {
  await bench.compare(
    bench('under the demo’s policies', () => {
      ask(demo, ANA, 'select', table('orders'))
    }),
    bench('under 1,000 policies', () => {
      ask(many, inManyGroups, 'select', table('orders', 's3'))
    }),
  )
})

test('a capability over 1,000 tables of ten columns, each with a view on it and a foreign key that cascades', async ({
  bench,
}) => {
  const columns = Array.from({ length: 10 }, (_, i) => `c${i}`)
  const relations = Array.from({ length: 1000 }, (_, i) => {
    const schema = SCHEMAS[i % SCHEMAS.length] ?? ''
    const id = { schema, name: `t${i}` }
    const before = { schema: SCHEMAS[(i + 2) % SCHEMAS.length] ?? '', name: `t${i - 1}` }
    const key = {
      name: 'f',
      columns: ['c1'],
      references: before,
      onDelete: 'cascades',
      onUpdate: 'refuses',
    } as const
    return [
      tableOf(`${schema}.t${i}`, columns, { foreignKeys: i % 10 === 0 ? [] : [key] }),
      tableOf(`${schema}.v${i}`, columns, { kind: 'view', uses: [{ ...id, columns }] }),
    ]
  }).flat()
  let version = 0
  const catalog = () => catalogOf(relations, { version: String(version++), schemas: SCHEMAS })
  await bench.compare(
    bench('under the demo’s policies', () => {
      capabilityFor(demo, DEPLOY, SHOP, catalog(), CONTEXT)
    }),
    bench('under 1,000 policies', () => {
      capabilityFor(many, inManyGroups, SHOP, catalog(), CONTEXT)
    }),
  )
})
