import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createProgram } from './program.ts'
import { cliReference } from './reference.ts'
import { testWorld } from './test-world.fixture.ts'
import { VERSION } from './version.ts'

test('docs/reference/cli.md says what the program takes (node scripts/references.ts writes it)', () => {
  const written = readFileSync(new URL('../../../docs/reference/cli.md', import.meta.url), 'utf8')
  expect(written).toBe(cliReference(createProgram(testWorld(), '')))
})

test('the version is that of package.json', () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  expect(manifest).toMatchObject({ version: VERSION })
})
