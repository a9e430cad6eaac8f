import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const NAME = /^\d{15}-[0-9a-f]{8}\.jsonl$/

/** The names of a journal's files, in the order of writing. */
export function journalFiles(dir: string): readonly string[] {
  return readdirSync(dir)
    .filter((name) => NAME.test(name))
    .toSorted()
}

/** Later than `last` even when the clock went back; never used before, so that a stored position cannot be another's. */
export function nextJournalFile(last: string | undefined): string {
  const sequence = Math.max(Date.now(), last === undefined ? 0 : Number(last.slice(0, 15)) + 1)
  return `${String(sequence).padStart(15, '0')}-${randomBytes(4).toString('hex')}.jsonl`
}

/** Makes the file, which must not be there, for appending. The directory is synced too: after a crash of the host a synced line in a file without a name is lost. */
export function createJournalFile(dir: string, name: string): number {
  const fd = openSync(join(dir, name), 'ax', 0o600)
  const directory = openSync(dir, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
  return fd
}
