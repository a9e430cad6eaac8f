import { describe, expect, test } from 'vitest'
import { NO_FLOW, UNKNOWN_FLOW } from '../access/data-flow.ts'
import type { DataFlow, InferenceKind, SourceColumn } from '../access/data-flow.ts'
import type { Operation } from '../access/model.ts'
import { decideMasking } from './masking-decision.ts'
import type { MaskingDecision } from './masking-decision.ts'
import { ANA, CONTEXT, DORA, FACTS, SHOP, pointOf } from './policy-fixtures.ts'

const CLASSES = `kind: Classification
target: shop
fields:
  - { field: public.customers.email, class: pii.email }
  - { field: public.customers.ssn, class: pii.ssn }
  - { field: public.archive.ssn, class: pii.ssn }
  - { field: public.employees.profile->bank->iban, class: pci.iban }
---
kind: DataClass
name: pii.email
mask: token
---
kind: DataClass
name: pii
mask: { method: partial, keep: last4 }
`
const POLICIES = `
  @id("dba-sees") permit (principal in Group::"dba", action == Action::"reveal", resource in DataClass::"pii");
  @id("no-guessing") forbid (principal, action == Action::"infer", resource == DataClass::"pii.ssn")
  when { context.inference == "equality" };
  @id("groups") permit (principal, action == Action::"infer", resource == DataClass::"pii.email")
  when { ["group", "join"].contains(context.inference) };`
const point = pointOf(POLICIES, CLASSES)

const column = (name: string, column_: string): SourceColumn => ({ schema: 'public', name, column: column_ })
const EMAIL = column('customers', 'email')
const SSN = column('customers', 'ssn')
const NAME = column('customers', 'name')
const PROFILE = column('employees', 'profile')

function decide(flow: Partial<DataFlow>, who = ANA, operations: readonly Operation[] = []): MaskingDecision {
  const reading = { operations, facts: FACTS, flow: { ...NO_FLOW, ...flow } }
  return decideMasking(point, { principal: who, target: SHOP, reading, context: CONTEXT })
}

function planOf(decision: MaskingDecision) {
  if (decision.effect === 'deny') throw new Error(decision.reason)
  return decision.plans?.[0]
}

describe('a result', () => {
  test('has a mask on every column that can hold something hidden', () => {
    const plan = planOf(
      decide({
        outputs: [
          { sources: [NAME], isPlain: true },
          { sources: [SSN], isPlain: true },
          { sources: [NAME, EMAIL], isPlain: false },
          { sources: [PROFILE], isPlain: true },
          { sources: 'anything', isPlain: false },
        ],
        touched: [NAME, SSN],
      }),
    )
    expect(plan?.columns).toEqual([
      undefined,
      {
        plain: SSN,
        classes: [{ dataClass: { name: 'pii.ssn', mask: { method: 'partial', keep: 'last4' } } }],
      },
      { classes: [{ dataClass: { name: 'pii.email', mask: { method: 'token' } } }] },
      {
        plain: PROFILE,
        classes: [{ dataClass: { name: 'pci.iban', mask: { method: 'redact' } }, path: ['bank', 'iban'] }],
      },
      {
        classes: ['pci.iban', 'pii.email', 'pii.ssn'].map((name) => ({
          dataClass: { name, mask: expect.anything() },
        })),
      },
    ])
    expect(plan?.hidesTexts).toBe(true)
    expect(plan?.origins).toEqual([NAME, SSN, undefined, PROFILE, undefined])
  })

  test('that was not followed is hidden whole', () => {
    const plan = planOf(decide(UNKNOWN_FLOW))
    expect(plan).toMatchObject({ columns: [], beyond: { classes: expect.anything() }, hidesTexts: true })
  })

  test('has none for somebody to whom all of it is revealed', () => {
    const flow = { outputs: [{ sources: [SSN, EMAIL], isPlain: false }], touched: [SSN] }
    expect(planOf(decide(flow, DORA))).toBeUndefined()
    // What reveals pii reveals no bank accounts.
    expect(planOf(decide({ outputs: [{ sources: [PROFILE], isPlain: true }] }, DORA))).toBeDefined()
  })

  test('has none where nothing hidden is touched', () => {
    expect(decide({ outputs: [{ sources: [NAME], isPlain: true }], touched: [NAME] })).toEqual({
      effect: 'permit',
      guesses: 0,
      policies: [],
    })
  })

  test('without columns still hides what errors could quote', () => {
    expect(planOf(decide({ touched: [SSN] }))).toMatchObject({ columns: [], hidesTexts: true })
  })
})

describe('telling a hidden value without being shown it', () => {
  const infer = (kind: InferenceKind, of = EMAIL) => decide({ inferences: [{ column: of, kind }] })

  test.each(['constant', 'range', 'pattern', 'order', 'other'] as const)('by %s is denied', (kind) => {
    expect(infer(kind)).toMatchObject({
      effect: 'deny',
      policies: [],
      reason: expect.stringContaining('public.customers.email is masked for ana'),
      hint: expect.stringContaining('Action::"infer" on DataClass::"pii.email"'),
    })
  })

  test('by comparing it with a parameter is permitted, and counted', () => {
    expect(
      decide({
        inferences: [
          { column: EMAIL, kind: 'equality' },
          { column: NAME, kind: 'range' },
        ],
      }),
    ).toMatchObject({
      effect: 'permit',
      guesses: 1,
    })
  })

  test('is permitted where policy says so, and policy is named', () => {
    expect(infer('group')).toMatchObject({ effect: 'permit', policies: ['groups'] })
  })

  test('is denied where policy forbids even the comparison', () => {
    expect(infer('equality', SSN)).toMatchObject({ effect: 'deny', policies: ['no-guessing'] })
  })

  test('is no matter of what is not hidden', () => {
    const flow = { inferences: [{ column: EMAIL, kind: 'order' as const }] }
    expect(decide(flow, DORA).effect).toBe('permit')
  })
})

describe('storing a hidden value', () => {
  test.each([
    ['in a column without a class', [EMAIL], column('notes', 'text'), 'deny'],
    ['in a column of another class', [EMAIL], SSN, 'deny'],
    ['in JSON of which only a part has the class', [column('employees', 'profile')], PROFILE, 'deny'],
    ['in a column of its class', [SSN], column('archive', 'ssn'), 'permit'],
    ['from code that could read anything', 'anything', column('notes', 'text'), 'deny'],
  ] as const)('%s: %s to %s', (_, from, to, effect) => {
    expect(decide({ stored: [{ from, to }] }).effect).toBe(effect)
  })

  test('says what would be stored where', () => {
    expect(decide({ stored: [{ from: [EMAIL], to: column('notes', 'text') }] })).toMatchObject({
      reason:
        'public.customers.email holds pii.email, which is masked for ana, and would be stored in public.notes.text, where it is not',
    })
  })

  test('is no matter of what is not hidden', () => {
    expect(decide({ stored: [{ from: [EMAIL], to: column('notes', 'text') }] }, DORA).effect).toBe('permit')
  })
})

test.each(['pg_stats', 'pg_statistic', 'pg_stats_ext_exprs'])('%s holds samples, and is denied', (name) => {
  const read: Operation = { action: 'select', resource: { type: 'Table', schema: 'pg_catalog', table: name } }
  expect(decide({}, ANA, [read])).toMatchObject({
    effect: 'deny',
    reason: expect.stringContaining('holds samples of the data'),
  })
})

test('definitions in the catalog are searched for values that nobody classified', () => {
  const read: Operation = {
    action: 'select',
    resource: { type: 'Table', schema: 'pg_catalog', table: 'pg_indexes' },
  }
  expect(planOf(decide({}, ANA, [read]))).toMatchObject({ detects: 'formats' })
})

test('a parameter that is compared with a tokenised column may be a token', () => {
  const plan = planOf(
    decide({
      parameters: [
        { number: 1, column: EMAIL },
        { number: 2, column: SSN },
      ],
    }),
  )
  expect(plan?.parameters).toEqual([
    { number: 1, column: EMAIL, dataClass: { name: 'pii.email', mask: { method: 'token' } } },
  ])
})

test('nothing is asked about a target without classified fields', () => {
  const reading = { operations: [], facts: FACTS, flow: UNKNOWN_FLOW }
  const other = { ...SHOP, name: 'other' }
  expect(decideMasking(point, { principal: ANA, target: other, reading, context: CONTEXT })).toEqual({
    effect: 'permit',
    guesses: 0,
    policies: [],
  })
})

describe('texts without a class', () => {
  const detecting = pointOf(POLICIES, CLASSES.replace('fields:', 'texts: detect\nfields:'))
  const read: Operation = {
    action: 'select',
    resource: { type: 'Table', schema: 'public', table: 'orders' },
    columns: ['note'],
  }
  const outputs = [{ sources: [column('orders', 'note')], isPlain: true }]
  const plansOf = (where: typeof point, who = ANA) => {
    const reading = { operations: [read], facts: FACTS, flow: { ...NO_FLOW, outputs } }
    return planOf(decideMasking(where, { principal: who, target: SHOP, reading, context: CONTEXT }))
  }

  test('are looked through where the classification says so, and are not masked whole', () => {
    expect(plansOf(detecting)).toMatchObject({ detects: 'formats', columns: [undefined] })
    expect(plansOf(point)).toBeUndefined()
    const naming = pointOf(POLICIES, CLASSES.replace('fields:', 'texts: detect-names\nfields:'))
    expect(plansOf(naming)).toMatchObject({ detects: 'names' })
  })

  test('are shown as they are to whoever may see what is detected', () => {
    const revealing = pointOf(
      `@id("sees") permit (principal, action == Action::"reveal", resource == DataClass::"detected");`,
      CLASSES.replace('fields:', 'texts: detect\nfields:'),
    )
    expect(plansOf(revealing)).toBeUndefined()
  })
})
