// Writes docs/reference/cli.md and config.md from what the program and the schema say: node scripts/references.ts
import { mkdirSync, writeFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { createProgram } from '../packages/cli/src/program.ts'
import { cliReference } from '../packages/cli/src/reference.ts'
import { configReference } from '../packages/gateway/src/config/reference.ts'

const nowhere = new PassThrough()
const program = createProgram(
  {
    env: {},
    cwd: '/',
    stdin: nowhere,
    stdout: nowhere,
    stderr: nowhere,
    nodeVersion: process.version,
    onSignal: () => () => {},
    setExitCode: () => {},
  },
  '',
)
const folder = new URL('../docs/reference/', import.meta.url)
mkdirSync(folder, { recursive: true })
writeFileSync(new URL('cli.md', folder), cliReference(program))
writeFileSync(new URL('config.md', folder), configReference())
