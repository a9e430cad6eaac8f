import { expect, test } from 'vitest'
import { definitionMask } from './definition-mask.ts'

const HIDDEN = new Set(['ssn', 'E mail'])

test.each([
  [
    "CREATE INDEX vip ON public.customers USING btree (id) WHERE (ssn = '123-45-6789'::text)",
    "CREATE INDEX vip ON public.customers USING btree (id) WHERE (ssn = '[redacted]'::text)",
  ],
  [`CHECK (("E mail" <> 'it''s'::text))`, `CHECK (("E mail" <> '[redacted]'::text))`],
  ['CHECK ((ssn > 12.5))', 'CHECK ((ssn > [redacted]))'],
  ["FOR VALUES IN ('123-45-6789', '9')", "FOR VALUES IN ('[redacted]', '[redacted]')"],
  ['FOR VALUES FROM (100) TO (200)', 'FOR VALUES FROM ([redacted]) TO ([redacted])'],
])(
  'constants of a definition that names a hidden column, or of bounds, are hidden: %s',
  (value, expected) => {
    expect(definitionMask(HIDDEN, 'pii').apply(value, 'text')).toBe(expected)
  },
)

test.each([
  'CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)',
  "CHECK ((status = ANY (ARRAY['new'::text, 'paid'::text])))",
  `CHECK (("E mail address" <> 'ssn'::text))`,
  'DEFAULT',
])('other definitions stay as they are: %s', (value) => {
  expect(definitionMask(HIDDEN, 'pii').apply(value, 'text')).toBe(value)
})

test('where any column may be a hidden one, every constant is hidden', () => {
  expect(definitionMask('all', 'pii').apply("(a = 'x'::text)", 'text')).toBe("(a = '[redacted]'::text)")
})
