import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { unpackLines } from './packed-lines.ts'
import { type Stretch, StretchReader } from './read-stretch.ts'

let dir: string
let path: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sallyport-stretch-'))
  path = join(dir, 'journal')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const line = (session: string, n: number, text = ''): string =>
  `{"s":"${session}","n":${n},"at":${1000 + n},"k":"statement","text":"${text}","d":{}}`

const linesOf = async (stretch: Stretch | undefined, session: string): Promise<readonly string[]> => {
  const packed = stretch?.sessions.get(session)
  return packed === undefined ? [] : unpackLines(packed.lines)
}

test('each session gets its own lines, in order and unchanged', async () => {
  const lines = [line('a', 1, 'ä'), line('b', 1), line('a', 2), line('a', 3), line('b', 2)]
  writeFileSync(path, `${lines.join('\n')}\n`)
  const stretch = new StretchReader().read(path, 0, Number.MAX_SAFE_INTEGER)
  expect(await linesOf(stretch, 'a')).toEqual([lines[0], lines[2], lines[3]])
  expect(await linesOf(stretch, 'b')).toEqual([lines[1], lines[4]])
  expect(stretch?.sessions.get('a')).toMatchObject({ firstN: 1, lastN: 3, lastAt: 1003, statements: 3 })
})

test('a line that is not finished waits, and nothing is read from the end that was given on', async () => {
  const whole = `${line('a', 1)}\n`
  writeFileSync(path, whole + line('a', 2).slice(0, 20))
  const reader = new StretchReader()
  const first = reader.read(path, 0, Number.MAX_SAFE_INTEGER)
  expect(first?.to).toBe(whole.length)
  expect(reader.read(path, whole.length, Number.MAX_SAFE_INTEGER)).toBeUndefined()
  appendFileSync(path, `${line('a', 2).slice(20)}\n${line('a', 3)}\n`)
  const second = reader.read(path, whole.length, 2 * whole.length)
  expect(await linesOf(second, 'a')).toEqual([line('a', 2)])
  expect(reader.read(path, 2 * whole.length, 2 * whole.length)).toBeUndefined()
})

test('a file of many megabytes comes in stretches that miss nothing, with a line that is longer than one', async () => {
  const long = 'x'.repeat(9 * 1024 * 1024)
  const all = [...Array(40_000).keys()].map((n) => line('a', n, n === 30_000 ? long : 'y'.repeat(100)))
  writeFileSync(path, `${all.join('\n')}\n`)
  const reader = new StretchReader()
  const stretches: Stretch[] = []
  for (;;) {
    const stretch = reader.read(path, stretches.at(-1)?.to ?? 0, Number.MAX_SAFE_INTEGER)
    if (stretch === undefined) break
    stretches.push(stretch)
  }
  expect(stretches.length).toBeGreaterThan(2)
  // Packed lines of the stretches before are not written over by those that came after.
  const read = await Promise.all(stretches.map((stretch) => linesOf(stretch, 'a')))
  expect(read.flat()).toEqual(all)
})

test('a file that is not there is an error that names it', () => {
  expect(() => new StretchReader().read(path, 0, 1)).toThrow(path)
})
