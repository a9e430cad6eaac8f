import { expect, test } from 'vitest'
import { catalogOf, tableOf } from '../access/catalog.fixture.ts'
import type { Relation } from '../access/catalog.ts'
import { NO_FLOW } from '../access/data-flow.ts'
import type { Action, StatementReading } from '../access/model.ts'
import { effectsOf } from './statement-effects.ts'

const audit = {
  name: 'audit',
  on: ['update', 'delete'],
  function: { schema: 'public', name: 'log_change' },
} as const

const key = (table: string, onDelete: 'cascades' | 'refuses' | 'changes') => ({
  name: `${table}_key`,
  columns: ['parent'],
  references: { schema: 'public', name: table },
  onDelete,
  onUpdate: 'refuses' as const,
})

const relation = (name: string, changed: Partial<Relation> = {}): Relation => ({
  ...tableOf(`public.${name}`),
  ...changed,
})

const CATALOG = catalogOf([
  relation('orders', { triggers: [audit] }),
  relation('lines', { foreignKeys: [key('orders', 'cascades')], triggers: [audit] }),
  relation('notes', { foreignKeys: [key('lines', 'changes')] }),
  relation('bills', { foreignKeys: [key('orders', 'refuses')] }),
  // A table that cascades to itself must not go round for ever.
  relation('tree', { foreignKeys: [key('tree', 'cascades')] }),
])

function reading(...operations: readonly (readonly [Action, string])[]): StatementReading {
  return {
    operations: operations.map(([action, table]) => ({
      action,
      resource: { type: 'Table', schema: 'public', table },
    })),
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
    needs: [],
    flow: NO_FLOW,
  }
}

test('cascades are followed from table to table, and their triggers are named', () => {
  expect(effectsOf(reading(['delete', 'orders']), CATALOG)).toMatchObject({
    tables: ['delete public.orders'],
    triggers: [
      'audit on public.orders, by public.log_change()',
      'audit on public.lines, by public.log_change()',
    ],
    cascades: [
      'public.lines: rows are deleted with those of public.orders (orders_key)',
      'public.notes: rows are changed with those of public.lines (lines_key)',
    ],
  })
})

test('a cascade that leads back to its table ends there', () => {
  expect(effectsOf(reading(['delete', 'tree']), CATALOG).cascades).toHaveLength(1)
})

test('a trigger for something else does not fire', () => {
  expect(effectsOf(reading(['insert', 'orders']), CATALOG).triggers).toEqual([])
})

test.each<[Action, RegExp]>([
  ['drop', /^no: /],
  ['truncate', /^no: /],
  ['delete', /^no: /],
  ['update', /^no: /],
  ['insert', /^by hand: /],
  ['create', /^yes: /],
  ['select', /^nothing/],
])('whether %s can be undone', (action, expected) => {
  expect(effectsOf(reading([action, 'notes']), CATALOG).reversible).toMatch(expected)
})
