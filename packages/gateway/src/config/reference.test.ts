import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { configReference } from './reference.ts'

const rows = configReference()
  .split('\n')
  .filter((line) => line.startsWith('| `'))

test('every key is there with a meaning', () => {
  expect(rows.length).toBeGreaterThan(25)
  for (const row of rows) expect(row).toMatch(/ \| [A-Z0-9][^|]+\. \|$/)
})

test.each([
  '| `listen.http` | text | `127.0.0.1:7400` | Control API, console and MCP. |',
  '| `log.level` | `debug`, `info`, `warn`, `error` | `info` | The least level that is logged. |',
])('has the row %s', (row) => {
  expect(rows).toContain(row)
})

test('keys of lists of maps are there', () => {
  expect(rows.some((row) => row.startsWith('| `identity.issuers[].claims.groups` | text | `groups` |'))).toBe(
    true,
  )
})

test('docs/reference/config.md is current (node scripts/references.ts writes it)', () => {
  const written = readFileSync(new URL('../../../../docs/reference/config.md', import.meta.url), 'utf8')
  expect(written).toBe(configReference())
})
