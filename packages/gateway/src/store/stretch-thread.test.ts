import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { unpackLines } from './packed-lines.ts'
import { StretchThread } from './stretch-thread.ts'

let dir: string
let thread: StretchThread

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sallyport-stretch-'))
  thread = new StretchThread()
})
afterEach(async () => {
  await thread.end()
  rmSync(dir, { recursive: true, force: true })
})

const LINE = '{"s":"a","n":1,"at":5,"k":"statement","text":"select 1","d":{}}'

function journal(): { path: string; from: number; end: number } {
  const path = join(dir, 'journal')
  writeFileSync(path, `${LINE}\n`)
  return { path, from: 0, end: Number.MAX_SAFE_INTEGER }
}

test('a stretch comes whole out of the thread', async () => {
  const stretch = await thread.read(journal())
  expect(stretch).toMatchObject({ starts: [], audit: [], damaged: 0, to: LINE.length + 1 })
  const session = stretch?.sessions.get('a')
  expect(session).toMatchObject({ firstN: 1, lastN: 1, lastAt: 5, statements: 1 })
  expect(await unpackLines(session?.lines ?? new Uint8Array())).toEqual([LINE])
})

test('what cannot be read fails, and the next stretch is read all the same', async () => {
  await expect(thread.read({ path: join(dir, 'none'), from: 0, end: 1 })).rejects.toThrow('ENOENT')
  expect(await thread.read(journal())).toBeDefined()
})

test('what the thread was asked when it ended fails, and the next stretch is read by a new one', async () => {
  const asked = thread.read(journal())
  await Promise.all([thread.end(), expect(asked).rejects.toThrow('exited')])
  expect(await thread.read(journal())).toBeDefined()
})
