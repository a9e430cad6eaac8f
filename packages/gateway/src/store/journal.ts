import { closeSync, fdatasync, fdatasyncSync, mkdirSync, writeSync } from 'node:fs'
import { SallyportError } from '../access/errors.ts'
import type { Journal, JournalLine, JournalWaiter } from '../recording/ports.ts'
import { createJournalFile, journalFiles, nextJournalFile } from './journal-file.ts'

/** Small enough to be deleted soon, large enough that a new file is rare: minutes of the heaviest load. */
const FILE_BYTES = 64 * 1024 * 1024
/** What may wait for a store that is down. Beyond it nothing more is let through: it could not be recorded. */
const MAX_BACKLOG_BYTES = 1024 * 1024 * 1024
/** Lines wait here for their write; it comes earlier when they get more than this. */
const QUEUE_BYTES = 64 * 1024
/** How long a line that nothing waits for may wait for company, in milliseconds. */
const SOON_MS = 20
/** Bytes of UTF-8 that one UTF-16 unit can become. */
const MAX_UTF8 = 3
const NEWLINE = 0x0a

/** Where in the journal something is: a file's name and a byte offset in it. Names sort in the order of writing. */
export interface JournalPosition {
  readonly file: string
  readonly offset: number
}

/**
 * The write-ahead files in one directory. Lines appended in one turn of the event loop go out in one write at its end;
 * then the waiters of that turn are called, in order. `sync` waiters share one fdatasync with all that came while the
 * last one ran. After a failed write everything fails until the gateway is started again: a line could be half there.
 */
export class FileJournal implements Journal {
  readonly dir: string
  readonly #fileBytes: number
  readonly #maxBacklogBytes: number
  /** Called after each write, to get the ingest going. */
  onWritten: () => void = () => undefined
  #fd: number
  #file: string
  #offset = 0
  readonly #queue: JournalLine = { memory: Buffer.allocUnsafeSlow(QUEUE_BYTES), at: 0 }
  /** Where the current line is written: at the end of the queue, or in memory of its own that it needs. */
  #begun = this.#queue
  /** For this turn's write. */
  #waiting: JournalWaiter[] = []
  #waitingForDisk: JournalWaiter[] = []
  #syncing = false
  /** Written, and not yet on the disk. */
  #unsynced: JournalWaiter[] = []
  #scheduled = false
  #timer: NodeJS.Timeout | undefined
  #backlog = 0
  /** Of the files of this run: how far the store has them. */
  readonly #ingested = new Map<string, number>()
  #failure: SallyportError | undefined
  #closed: Promise<void> | undefined

  /** @throws SallyportError RECORDING_FAILED when the directory cannot be written */
  constructor(options: {
    readonly dir: string
    readonly fileBytes?: number
    readonly maxBacklogBytes?: number
  }) {
    this.dir = options.dir
    this.#fileBytes = options.fileBytes ?? FILE_BYTES
    this.#maxBacklogBytes = options.maxBacklogBytes ?? MAX_BACKLOG_BYTES
    try {
      mkdirSync(this.dir, { recursive: true, mode: 0o700 })
      this.#file = nextJournalFile(journalFiles(this.dir).at(-1))
      this.#fd = createJournalFile(this.dir, this.#file)
      this.#ingested.set(this.#file, 0)
    } catch (cause) {
      throw recordingFailed(`the journal in ${this.dir} cannot be written`, cause)
    }
  }

  /** Bytes of this run that the store does not have yet. */
  get backlog(): number {
    return this.#backlog
  }

  /** The end of what has been written. */
  get position(): JournalPosition {
    return { file: this.#file, offset: this.#offset }
  }

  append(line: string): void {
    const begun = this.begin(line.length * MAX_UTF8)
    begun.at += begun.memory.write(line, begun.at)
    this.#end()
    this.#schedule()
  }

  begin(most: number): JournalLine {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#backlog > this.#maxBacklogBytes) {
      throw recordingFailed('the database has been away for so long that the journal is full')
    }
    if (most >= QUEUE_BYTES - this.#queue.at) this.#write()
    this.#begun = most < QUEUE_BYTES ? this.#queue : { memory: Buffer.allocUnsafeSlow(most + 1), at: 0 }
    return this.#begun
  }

  endSoon(): void {
    this.#end()
    if (this.#scheduled || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (!this.#scheduled) this.#turn()
    }, SOON_MS)
  }

  #end(): void {
    const line = this.#begun
    if (line.at >= line.memory.length) {
      // Nothing that is written from here on could be read.
      this.#failure = recordingFailed('a line was longer than it was said to become')
      throw this.#failure
    }
    line.memory[line.at++] = NEWLINE
    if (line !== this.#queue) this.#writeBytes(line.memory.subarray(0, line.at))
  }

  written(waiter: JournalWaiter, sync: boolean): void {
    if (sync) this.#waitingForDisk.push(waiter)
    else this.#waiting.push(waiter)
    this.#schedule()
  }

  /** @throws SallyportError RECORDING_FAILED once nothing can be written any more */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The store has this file up to this offset: that much less is waiting. Files of earlier runs do not count. */
  ingested(position: JournalPosition): void {
    const before = this.#ingested.get(position.file)
    if (before === undefined) return
    this.#backlog -= position.offset - before
    this.#ingested.set(position.file, position.offset)
  }

  /** The file is gone. */
  forget(file: string): void {
    this.#ingested.delete(file)
  }

  /** Writes what is queued, syncs it, calls its waiters and closes the file. Does nothing the second time. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.written({ recorded: resolve, unrecorded: () => resolve() }, true)
    })
    this.#failure ??= recordingFailed('the journal is closed')
    clearTimeout(this.#timer)
    closeSync(this.#fd)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#scheduled = false
    if (this.#queue.at > 0) this.#write()
    const failure = this.#failure
    const waiting = this.#waiting
    this.#waiting = []
    for (const waiter of waiting) {
      if (failure === undefined) recorded(waiter)
      else unrecorded(waiter, failure)
    }
    if (this.#waitingForDisk.length === 0) return
    const waitingForDisk = this.#waitingForDisk
    this.#waitingForDisk = []
    for (const waiter of waitingForDisk) {
      if (failure === undefined) this.#unsynced.push(waiter)
      else unrecorded(waiter, failure)
    }
    this.#sync()
  }

  #write(): void {
    const { memory, at } = this.#queue
    this.#queue.at = 0
    this.#writeBytes(memory.subarray(0, at))
  }

  #writeBytes(bytes: Buffer): void {
    if (this.#failure !== undefined) return
    try {
      // Between files no line is torn, and no sync may be running on the file that is closed.
      if (this.#offset >= this.#fileBytes && !this.#syncing) this.#rotate()
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
    } catch (cause) {
      this.#failure = recordingFailed('the journal cannot be written', cause)
      return
    }
    this.#offset += bytes.length
    this.#backlog += bytes.length
    this.onWritten()
  }

  #rotate(): void {
    if (this.#unsynced.length > 0) {
      fdatasyncSync(this.#fd)
      for (const waiter of this.#unsynced.splice(0)) recorded(waiter)
    }
    const next = nextJournalFile(this.#file)
    const fd = createJournalFile(this.dir, next)
    closeSync(this.#fd)
    this.#fd = fd
    this.#file = next
    this.#offset = 0
    this.#ingested.set(next, 0)
  }

  #sync(): void {
    if (this.#syncing || this.#unsynced.length === 0) return
    this.#syncing = true
    const group = this.#unsynced
    this.#unsynced = []
    fdatasync(this.#fd, (error) => {
      this.#syncing = false
      // After a failed fsync the kernel may have dropped the pages: nothing written since can be trusted.
      if (error !== null) this.#failure ??= recordingFailed('the journal cannot be synced to disk', error)
      const failure = this.#failure
      for (const waiter of group) {
        if (error !== null && failure !== undefined) unrecorded(waiter, failure)
        else recorded(waiter)
      }
      if (failure !== undefined) for (const waiter of this.#unsynced.splice(0)) unrecorded(waiter, failure)
      this.#sync()
    })
  }
}

/** A waiter's own error must not keep the other ones waiting for ever. */
function recorded(waiter: JournalWaiter): void {
  try {
    waiter.recorded()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function unrecorded(waiter: JournalWaiter, failure: SallyportError): void {
  try {
    waiter.unrecorded(failure)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function recordingFailed(message: string, cause?: unknown): SallyportError {
  return new SallyportError('RECORDING_FAILED', message, {
    hint: 'nothing is let through unrecorded; see the disk of dataDir, and the gateway log',
    ...(cause === undefined ? {} : { cause }),
  })
}
