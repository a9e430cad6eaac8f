import { expect, test } from 'vitest'
import { catalogOf, tableOf } from '../access/catalog.fixture.ts'
import type { SourceColumn } from '../access/data-flow.ts'
import type { MaskPlan } from '../policy/masking-decision.ts'
import { MaskShelf, hiddenColumns, statementMasks } from './statement-masks.ts'

const shelf = new MaskShelf(() => Buffer.alloc(32, 7))
const CUSTOMERS = tableOf('customers', ['id', 'email', 'profile'], { oid: 16_400 })
const CATALOG = catalogOf([CUSTOMERS])
const source = (column: string): SourceColumn => ({ schema: 'public', name: 'customers', column })
const EMAIL = { name: 'pii.email', mask: { method: 'token' } } as const
const IBAN = { name: 'pci.iban', mask: { method: 'redact' } } as const
const NOTHING: MaskPlan = {
  columns: [],
  beyond: undefined,
  hidesTexts: false,
  detects: false,
  origins: [],
  parameters: [],
}

test('a column’s own value is masked as its class says, what was computed from it by a constant', () => {
  const plan: MaskPlan = {
    ...NOTHING,
    columns: [
      undefined,
      { classes: [{ dataClass: EMAIL }], plain: source('email') },
      { classes: [{ dataClass: EMAIL }] },
    ],
    origins: [source('id'), source('email'), undefined],
  }
  const masks = statementMasks(plan, shelf, CATALOG, () => undefined)
  expect(masks.columns.map((mask) => mask?.method)).toEqual([undefined, 'token', 'redact'])
  expect(masks.columns[2]?.apply('moc.elpmaxe@ana', 'text')).not.toContain('ana')
  expect(masks.origins).toEqual([
    { relation: 16_400, number: 1, type: 'text' },
    { relation: 16_400, number: 2, type: 'text' },
    undefined,
  ])
})

test('only what is below a path is masked in JSON, and all of it where it is no JSON', () => {
  const plan: MaskPlan = {
    ...NOTHING,
    columns: [{ classes: [{ dataClass: IBAN, path: ['bank', 'iban'] }], plain: source('profile') }],
  }
  const mask = statementMasks(plan, shelf, CATALOG, () => undefined).columns[0]
  const masked = JSON.parse(mask?.apply('{"bank": {"iban": "DE02", "name": "B"}, "age": 3}', 'json') ?? '')
  expect(masked).toEqual({ bank: { iban: expect.not.stringContaining('DE02'), name: 'B' }, age: 3 })
  expect(mask?.apply('DE02 is my iban', 'text')).not.toContain('DE02')
})

test('a token that comes in as a parameter can be turned back', () => {
  const plan: MaskPlan = {
    ...NOTHING,
    parameters: [{ number: 1, column: source('email'), dataClass: EMAIL }],
  }
  const [parameter] = statementMasks(plan, shelf, CATALOG, () => undefined).parameters ?? []
  const token = parameter?.mask.apply('ana@example.com', 'text') ?? ''
  expect(token).not.toContain('ana@example.com')
  expect(parameter?.mask.restore?.(token, 'text')).toBe('ana@example.com')
})

test('hidden columns go by the target’s own numbers', () => {
  const hidden = hiddenColumns(CATALOG, ({ column }) => column === 'email')
  expect(hidden?.has(16_400, 2)).toBe(true)
  expect(hidden?.has(16_400, 1)).toBe(false)
  expect(hidden?.has(16_401, 2)).toBe(false)
  expect(hiddenColumns(CATALOG, () => false)).toBeUndefined()
})

test('a mask is made once for all statements', () => {
  expect(shelf.own(EMAIL)).toBe(shelf.own({ ...EMAIL }))
  expect(shelf.own(EMAIL)).not.toBe(shelf.derived(EMAIL))
})
