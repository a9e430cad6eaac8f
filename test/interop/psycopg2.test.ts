import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { startTestGateway } from '../harness/gateway.ts'
import { installed, runProgram } from '../harness/programs.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const PYTHON = installed('python3') ?? ''
const { code: found } = await runProgram(PYTHON === '' ? 'false' : PYTHON, ['-c', 'import psycopg2'])

test.skipIf(found !== 0)('psycopg2 (skipped where python3-psycopg2 is not installed)', async () => {
  await using world = await startTestGateway()
  const env = await world.access.libpq('ana', { groups: ['readers', 'writers', 'callers'] })
  const script = join(import.meta.dirname, 'psycopg2-client.py')
  const { code, stdout, stderr } = await runProgram(PYTHON, [script], { env })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({
    rows: [
      [1, 'Customer 1', 'Ghent'],
      [3, 'Customer 3', null],
    ],
    // JSON has no larger whole numbers: what Python printed is read as the nearest one.
    kinds: [9007199254740992, '1234.50', '00ff10', { a: [1, null] }, ['one', 't w o', null]],
    streamed: 1000,
    copied: '100\n101\n',
    notes: 52,
    denied: [
      '42501',
      'leave it out',
      expect.stringMatching(/policy secrets-are-closed, decision ses_\w+\.\d+$/),
    ],
    failed: '25P02',
    cancelled: '57014',
    after: 'still here',
  })
})
