import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runProgram } from '../harness/programs.ts'

test('the tour does all that it says', async () => {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'sallyport-test-tour-'))
  // As root its databases run as another account, which must get through to them.
  await chmod(folder, 0o711)
  try {
    const main = join(import.meta.dirname, '../../examples/tour/main.ts')
    // No key is passed on: its model is the script.
    const { code, stdout, stderr } = await runProgram(process.execPath, [main, '--once', '--folder', folder])
    expect(code, `${stdout}\n${stderr}`).toBe(0)
    expect(stdout).toContain('Every step did what it says.')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 180_000)
