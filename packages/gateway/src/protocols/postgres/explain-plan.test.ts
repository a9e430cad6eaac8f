import { expect, test } from 'vitest'
import { planLines, readPlan } from './explain-plan.ts'

const PLAN = JSON.stringify([
  {
    Plan: {
      'Node Type': 'ModifyTable',
      Operation: 'Delete',
      'Relation Name': 'notes',
      'Plan Rows': 0,
      Plans: [
        { 'Node Type': 'Index Scan', 'Index Name': 'notes_pkey', 'Relation Name': 'notes', 'Plan Rows': 3 },
      ],
    },
  },
])

test('a plan is shown as lines, and a change with the rows that it is fed', () => {
  const plan = readPlan(PLAN)
  expect(plan?.rows).toBe(3)
  expect(plan && planLines(plan)).toEqual([
    'Delete on notes, about 3 rows',
    '  Index Scan using notes_pkey on notes, about 3 rows',
  ])
})

test.each(['', 'null', '[]', '[{}]', '{"Plan":1}', '[{"Plan":{"Node Type":7}}]', 'x'.repeat(1000)])(
  'what is no plan is none: %s',
  (answer) => {
    expect(readPlan(answer)).toBeUndefined()
  },
)

test('a plan of any depth and width is cut to what is shown', () => {
  const deep = (left: number): object => ({
    'Node Type': 'Append',
    'Plan Rows': 1,
    Plans: left === 0 ? [] : [deep(left - 1)],
  })
  const plan = readPlan(JSON.stringify([{ Plan: deep(2000) }]))
  expect(plan && planLines(plan).length).toBe(40)
})
