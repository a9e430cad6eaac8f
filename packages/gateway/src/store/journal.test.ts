import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileJournal } from './journal.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sallyport-journal-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const written = (journal: FileJournal, sync = false): Promise<void> =>
  new Promise((recorded, unrecorded) => journal.written({ recorded, unrecorded }, sync))

const content = (): string =>
  readdirSync(dir)
    .toSorted()
    .map((name) => readFileSync(join(dir, name), 'utf8'))
    .join('')

test('lines of one turn are in the file, in order, when their waiters are called, and not before', async () => {
  const journal = new FileJournal({ dir })
  const seen: string[] = []
  journal.append('{"a":1}')
  journal.written(
    { recorded: () => seen.push(`first ${content()}`), unrecorded: () => expect.unreachable() },
    false,
  )
  journal.append('{"a":"é"}')
  journal.written(
    { recorded: () => seen.push(`second ${content()}`), unrecorded: () => expect.unreachable() },
    false,
  )
  expect(seen).toEqual([])
  expect(content()).toBe('')
  await written(journal)
  expect(seen).toEqual(['first {"a":1}\n{"a":"é"}\n', 'second {"a":1}\n{"a":"é"}\n'])
  await journal.close()
})

test('a sync waiter is called too, and those that come while a sync runs', async () => {
  const journal = new FileJournal({ dir })
  journal.append('1')
  const first = written(journal, true)
  await written(journal)
  journal.append('2')
  await Promise.all([first, written(journal, true), written(journal, true)])
  expect(content()).toBe('1\n2\n')
  await journal.close()
})

test('files are rotated between lines, and their names sort in the order of writing', async () => {
  const journal = new FileJournal({ dir, fileBytes: 10 })
  for (let i = 0; i < 6; i++) {
    journal.append(`line ${i}`)
    await written(journal, i % 2 === 0)
  }
  await journal.close()
  expect(readdirSync(dir)).toHaveLength(3)
  expect(content()).toBe('line 0\nline 1\nline 2\nline 3\nline 4\nline 5\n')
})

test('a new run never appends to an old file', async () => {
  const first = new FileJournal({ dir })
  first.append('whole')
  await first.close()
  const second = new FileJournal({ dir })
  expect(second.position.file > first.position.file).toBe(true)
  await second.close()
})

test('past the bound of what the store has not taken, appending fails, and works again once it has', async () => {
  const journal = new FileJournal({ dir, maxBacklogBytes: 100 })
  journal.append('x'.repeat(101))
  await written(journal)
  expect(() => journal.append('more')).toThrow(expect.objectContaining({ code: 'RECORDING_FAILED' }))
  journal.ingested(journal.position)
  journal.append('more')
  await journal.close()
})

test('after it is closed nothing is recorded, and whoever waits is told', async () => {
  const journal = new FileJournal({ dir })
  await journal.close()
  expect(() => journal.append('late')).toThrow(expect.objectContaining({ code: 'RECORDING_FAILED' }))
  await expect(written(journal)).rejects.toMatchObject({ code: 'RECORDING_FAILED' })
})

test('a directory that cannot be made is a clear error', () => {
  expect(() => new FileJournal({ dir: '/dev/null/journal' })).toThrow(
    expect.objectContaining({
      code: 'RECORDING_FAILED',
      message: expect.stringContaining('/dev/null/journal'),
    }),
  )
})

test('a waiter that throws does not keep the next one waiting', async () => {
  const journal = new FileJournal({ dir })
  const thrown = new Promise<unknown>((resolve) => {
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (error) => {
      for (const listener of before) process.on('uncaughtException', listener)
      resolve(error)
    })
  })
  journal.written(
    {
      recorded() {
        throw new Error('of a waiter')
      },
      unrecorded: () => expect.unreachable(),
    },
    false,
  )
  await written(journal)
  expect(await thrown).toMatchObject({ message: 'of a waiter' })
  await journal.close()
})

test('a line is put together in place, however long it is, and keeps its place among the others', async () => {
  const journal = new FileJournal({ dir })
  const long = 'é'.repeat(100_000)
  journal.append('1')
  const line = journal.begin(2 * long.length)
  line.at += line.memory.write(long, line.at)
  journal.endSoon()
  journal.append('3')
  await written(journal)
  await journal.close()
  expect(content()).toBe(`1\n${long}\n3\n`)
})

test.each([8, 100_000])(
  'a line that outgrows its %d bytes is not written, and neither is anything after it',
  async (most) => {
    const journal = new FileJournal({ dir })
    journal.append('whole')
    await written(journal)
    const line = journal.begin(most)
    line.at = line.memory.length
    expect(() => journal.endSoon()).toThrow('longer than it was said')
    expect(() => journal.append('more')).toThrow('longer than it was said')
    await expect(written(journal)).rejects.toThrow('longer than it was said')
    await journal.close()
    expect(content()).toBe('whole\n')
  },
)
