import { closeSync, openSync, readSync } from 'node:fs'
import { packLines } from './packed-lines.ts'
import { type Digest, JournalScan, type SessionChange } from './scan-journal.ts'

/** Goes into the store in one transaction: with less, the transactions cost more than what is in them. */
const STRETCH_BYTES = 4 * 1024 * 1024
/** The longest line there can be is a statement of the largest message a client may send, escaped; far below this. */
const MAX_LINE_BYTES = 256 * 1024 * 1024

/** What a stretch of a journal file adds to the store: whole lines, sorted by session, counted and packed. */
export interface Stretch extends Omit<Digest, 'sessions'> {
  readonly sessions: ReadonlyMap<string, PackedSession>
  /** Where it ends in the file, in bytes. */
  readonly to: number
}

export interface PackedSession extends Omit<SessionChange, 'ranges'> {
  /** Its lines, as `packLines` packs them. */
  readonly lines: Uint8Array<ArrayBuffer>
}

/** Reads journals a stretch at a time. It keeps its memory: new memory of that size for every stretch would be garbage. */
export class StretchReader {
  readonly #bytes = new KeptMemory(STRETCH_BYTES)
  readonly #lines = new KeptMemory(STRETCH_BYTES)

  /**
   * The next stretch of the file at `path`, from byte `from` on and no further than `end`; undefined when no whole line
   * stands there.
   * @throws Error when the file cannot be read, or a line in it is longer than one can be
   */
  read(path: string, from: number, end: number): Stretch | undefined {
    if (from >= end) return undefined
    const fd = openSync(path, 'r')
    try {
      for (let size = STRETCH_BYTES; size <= MAX_LINE_BYTES; size *= 4) {
        const memory = this.#bytes.of(Math.min(size, end - from))
        const bytes = memory.subarray(0, readSync(fd, memory, 0, memory.length, from))
        const newline = bytes.lastIndexOf(0x0a)
        if (newline >= 0) return this.#stretch(bytes.subarray(0, newline + 1), from)
        if (bytes.length < size) return undefined
      }
    } finally {
      closeSync(fd)
    }
    throw new Error(`a journal line at ${from} is longer than ${MAX_LINE_BYTES} bytes`)
  }

  #stretch(bytes: Buffer, from: number): Stretch {
    const { sessions, ...rest } = new JournalScan(bytes).digest()
    const memory = this.#lines.of(bytes.length)
    const packed = new Map<string, PackedSession>()
    for (const [id, { ranges, ...change }] of sessions) {
      packed.set(id, { ...change, lines: packLines(linesOf(ranges, bytes, memory)) })
    }
    return { ...rest, sessions: packed, to: from + bytes.length }
  }
}

/**
 * The lines of one session out of what was scanned, joined by newlines.
 * @param memory where they are put together, unless they already stand in one piece
 */
function linesOf(ranges: readonly number[], bytes: Buffer, memory: Buffer): Buffer {
  // Each range ends with its newline; the last one's belongs to nothing.
  if (ranges.length === 2) return bytes.subarray(ranges[0], (ranges[1] ?? 1) - 1)
  let at = 0
  for (let i = 0; i < ranges.length; i += 2) at += bytes.copy(memory, at, ranges[i], ranges[i + 1])
  return memory.subarray(0, at - 1)
}

/** Memory that is used again: whoever was given it before is done with it. */
class KeptMemory {
  readonly #size: number
  #kept: Buffer | undefined

  /** `size`: what is kept. More is made when it is needed, and not kept. */
  constructor(size: number) {
    this.#size = size
  }

  of(length: number): Buffer {
    if (length > this.#size) return Buffer.allocUnsafeSlow(length)
    this.#kept ??= Buffer.allocUnsafeSlow(this.#size)
    return this.#kept.subarray(0, length)
  }
}
