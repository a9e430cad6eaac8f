import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Principal } from '../access/model.ts'
import { UsageBook, UsagePage } from './recent-usage.ts'

const ANA: Principal = {
  kind: 'agent',
  id: 'ana-bot',
  issuer: 'i',
  subject: 'ana-bot',
  groups: [],
  attributes: {},
}
const NOON = Date.parse('2026-03-04T12:00:00Z')

test('counts statements, rows and denials of the last minute and the last hour', () => {
  const page = new UsagePage()
  page.statement(NOON, true)
  page.rows(NOON, 500)
  page.statement(NOON + 90_000, false)
  expect(page.recent(NOON + 90_000)).toEqual({
    lastMinute: { statements: 1, rows: 0, denials: 1 },
    lastHour: { statements: 2, rows: 500, denials: 1 },
  })
  expect(page.recent(NOON + 2 * 3600_000)).toEqual({
    lastMinute: { statements: 0, rows: 0, denials: 0 },
    lastHour: { statements: 0, rows: 0, denials: 0 },
  })
})

test('counts nothing of the window too little, and nothing that is older by more than a slice', () => {
  const moment = fc.integer({ min: 0, max: 300_000 })
  fc.assert(
    fc.property(fc.array(moment, { maxLength: 50 }), moment, (moments, later) => {
      const page = new UsagePage()
      const at = moments.toSorted((a, b) => a - b)
      for (const offset of at) page.statement(NOON + offset, true)
      const now = Math.max(later, ...at)
      const { statements } = page.recent(NOON + now).lastMinute
      expect(statements).toBeGreaterThanOrEqual(at.filter((offset) => now - offset < 60_000).length)
      expect(statements).toBeLessThanOrEqual(at.filter((offset) => now - offset <= 61_000).length)
    }),
  )
})

test('a clock that is set back loses nothing', () => {
  const page = new UsagePage()
  page.statement(NOON, true)
  page.statement(NOON - 5000, true)
  expect(page.recent(NOON).lastMinute.statements).toBe(2)
})

test('one page for all sessions of a principal on a target, another for each person it acts for', () => {
  const book = new UsageBook()
  const acting = { ...ANA, actingFor: { ...ANA, kind: 'user' as const, id: 'ana' } }
  expect(book.of(ANA, 'shop')).toBe(book.of({ ...ANA, groups: ['x'] }, 'shop'))
  expect(book.of(ANA, 'shop')).not.toBe(book.of(ANA, 'crm'))
  expect(book.of(ANA, 'shop')).not.toBe(book.of(acting, 'shop'))
})
