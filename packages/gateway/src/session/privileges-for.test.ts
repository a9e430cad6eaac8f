import { expect, test } from 'vitest'
import { catalogOf, tableOf } from '../access/catalog.fixture.ts'
import { NO_FLOW } from '../access/data-flow.ts'
import type { Operation, StatementReading } from '../access/model.ts'
import { privilegesFor } from './privileges-for.ts'

const on = (table: string, schema = 'public') => ({ type: 'Table', schema, table }) as const

function reading(operations: readonly Operation[], needs: StatementReading['needs'] = []): StatementReading {
  return {
    operations,
    facts: {
      hasWhere: true,
      whereIsTrivial: false,
      functions: [],
      multi: false,
      locksRows: false,
      readOnly: false,
      reading: 'complete',
    },
    dependsOn: 'text',
    needs,
    flow: NO_FLOW,
  }
}

const CATALOG = catalogOf([tableOf('orders', ['id', 'status'])])

const granted = (one: StatementReading): string[] =>
  privilegesFor(one, CATALOG).grants.map(
    ({ verb, table, columns }) => `${verb} ${table} ${columns?.join() ?? '*'}`,
  )

test('what the target checks is granted, and what the statement names', () => {
  const one = reading(
    [
      { action: 'update', resource: on('orders'), columns: ['status'] },
      { action: 'delete', resource: on('lines') },
    ],
    [{ verb: 'select', schema: 'public', table: 'orders', columns: ['id'] }],
  )
  expect(granted(one)).toEqual(['delete lines *', 'select orders id', 'update orders status'])
})

test('what happens by way of something else is not', () => {
  const through = { schema: 'public', table: 'v', by: 'view' } as const
  expect(granted(reading([{ action: 'select', resource: on('below'), through }]))).toEqual([])
})

test('nothing is granted on PostgreSQL’s own schemas', () => {
  expect(granted(reading([{ action: 'select', resource: on('pg_class', 'pg_catalog') }]))).toEqual([])
})

test('making something in a schema needs that schema', () => {
  const one = reading([
    { action: 'create', resource: { type: 'Schema', schema: 'app' } },
    { action: 'create', resource: on('made', 'work') },
  ])
  expect(privilegesFor(one, CATALOG).createIn).toEqual(['app', 'work'])
})

test('what is needed on a table, and on none of its columns, is granted on one', () => {
  const counted = { action: 'select', columns: [] } as const
  expect(granted(reading([{ ...counted, resource: on('orders') }]))).toEqual(['select orders id'])
  expect(granted(reading([{ ...counted, resource: on('made meanwhile') }]))).toEqual([
    'select made meanwhile *',
  ])
})
