import { chmod, cp, lstat, mkdtemp, realpath, rm, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runnableFrom, usableBinaries } from './postgres-binaries.ts'
import { isRoot, run, unprivilegedUser } from './run-as.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(await realpath(tmpdir()), 'sallyport-binaries-'))
  await chmod(home, 0o755)
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** The installed package's files, in a folder that a test may damage. */
async function installedCopy(): Promise<string> {
  const { root } = await usableBinaries({})
  const native = join(home, 'package', 'native')
  await cp(root, native, { recursive: true, verbatimSymlinks: true })
  return native
}

test('links and executable bits that the package manager dropped are put back', async () => {
  const native = await installedCopy()
  await unlink(join(native, 'lib', 'libicuuc.so.60'))
  await chmod(join(native, 'bin', 'postgres'), 0o644)
  const binaries = await runnableFrom(native, '1', unprivilegedUser(), join(home, 'copies'))
  expect(binaries.root).toBe(native)
  expect((await run(binaries.postgres, ['--version'], unprivilegedUser())).stdout).toMatch(
    /^postgres \(PostgreSQL\)/,
  )
})

test('binaries that lack a library say so, and what to do', async () => {
  const native = await installedCopy()
  await rm(join(native, 'lib', 'libicudata.so.60.2'))
  await expect(runnableFrom(native, '1', {}, join(home, 'copies'))).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('libicudata.so.60'),
    hint: expect.stringContaining('reinstall'),
  })
})

test.runIf(isRoot())('what the server account cannot reach is copied once', async () => {
  const native = await installedCopy()
  await chmod(join(home, 'package'), 0o700)
  const first = await runnableFrom(native, '1', unprivilegedUser(), join(home, 'copies'))
  expect(first.root).toBe(join(home, 'copies', 'postgresql-1'))
  const made = (await lstat(first.postgres)).ino
  const second = await runnableFrom(native, '1', unprivilegedUser(), join(home, 'copies'))
  expect((await lstat(second.postgres)).ino).toBe(made)
})
