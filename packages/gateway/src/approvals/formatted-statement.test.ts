import { expect, test } from 'vitest'
import { StatementFormatter } from './formatted-statement.ts'

test('a statement is laid out', async () => {
  const formatter = new StatementFormatter()
  const text = 'UPDATE orders SET status=$1 WHERE id = ANY ($2) -- why'
  expect(await formatter.format(text)).toBe(
    'UPDATE orders\nSET\n  status = $1\nWHERE\n  id = ANY ($2) -- why',
  )
  expect(await formatter.format(text)).toContain('UPDATE orders\n')
})

test.each([
  ['what cannot be read', '((('],
  ['what is too long', `SELECT ${'a, '.repeat(10_000)}a`],
  ['what would take the formatter for ever', ';'.repeat(16_000)],
  ['what is nested too deep for it', '('.repeat(8000) + ')'.repeat(8000)],
  ['what becomes far longer', `SELECT ${'CASE WHEN a THEN '.repeat(800)}1${' END'.repeat(800)}`],
])('%s is not, and nothing waits for it', async (_, text) => {
  let turns = 0
  const timer = setInterval(() => (turns += 1), 10)
  expect(await new StatementFormatter().format(text)).toBeUndefined()
  clearInterval(timer)
  // This thread went on meanwhile; what is too long is not even begun.
  expect(text.length > 16_384 || turns > 0).toBe(true)
})

test('a text that fills its memory ends the formatter, and not us', async () => {
  const formatter = new StatementFormatter()
  for (let round = 0; round < 5; round++) {
    expect(await formatter.format(`${';'.repeat(16_000)}${' '.repeat(round)}`)).toBeUndefined()
  }
  expect(await formatter.format('SELECT 1')).toBe('SELECT\n  1')
})

test('few are laid out at once', async () => {
  const formatter = new StatementFormatter()
  const all = await Promise.all(['SELECT 1', 'SELECT 2', 'SELECT 3'].map((text) => formatter.format(text)))
  expect(all.filter((text) => text === undefined)).toHaveLength(1)
})
