import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import type { Store } from './database.ts'
import type { FileJournal } from './journal.ts'
import { journalFiles } from './journal-file.ts'
import { reached, storeError } from './store-error.ts'
import type { StoreLog } from './store-log.ts'
import { StretchThread } from './stretch-thread.ts'
import { writeStretch } from './write-stretch.ts'

/** The store is filled in quiet moments: when nothing was written for this long, … */
const QUIET_MS = 200
/** … but it is never further behind than this, … */
const MAX_BEHIND_MS = 5_000
/** … nor by more than this. */
const MAX_BEHIND_BYTES = 16 * 1024 * 1024
/** While the store is away there is no hurry. */
const RETRY_MS = 2_000

/**
 * Fills the store from the journal: soon after every write, and at once before reads. Where it is in each file is
 * stored with what it read, so that it can be killed at any point and neither loses nor doubles anything.
 */
export class JournalIngest {
  readonly #store: Pick<Store, 'db'>
  readonly #journal: FileJournal
  readonly #log: StoreLog
  /** Undefined: to be asked of the store, at first and after a failure, when a commit may or may not have happened. */
  #positions: Map<string, number> | undefined
  #running: Promise<void> | undefined
  /** The pass that waits for the running one, shared by all who asked meanwhile. */
  #next: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #failing = false
  #stopped = false
  readonly #thread = new StretchThread()

  constructor(options: {
    readonly store: Pick<Store, 'db'>
    readonly journal: FileJournal
    readonly log: StoreLog
  }) {
    this.#store = options.store
    this.#journal = options.journal
    this.#log = options.log
  }

  /**
   * Takes in what an earlier run left, marks its sessions that never ended, and keeps up from then on. To be called
   * before the first session is let in.
   * @throws SallyportError STORE_UNAVAILABLE
   */
  async start(): Promise<void> {
    await this.drain()
    await reached(
      sql`UPDATE sallyport.sessions SET ended_at = last_event_at, end_reason = 'gateway crashed'
          WHERE ended_at IS NULL`.execute(this.#store.db),
    )
    this.#journal.onWritten = () => this.#watch()
  }

  /**
   * Settles when everything appended so far is in the store.
   * @throws SallyportError STORE_UNAVAILABLE
   */
  async drain(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#journal.written({ recorded: resolve, unrecorded: () => resolve() }, false)
    })
    await this.#soon()
  }

  /** Takes in the rest, as far as the store is there, and stops. The journal is closed by its owner. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.drain().catch((error: unknown) => this.#warn(error))
    await this.#thread.end()
  }

  /** Something was written: waits for a quiet moment, so that sessions at work need not share the processor with us. */
  #watch(): void {
    if (this.#timer !== undefined || this.#stopped) return
    const latest = Date.now() + MAX_BEHIND_MS
    const look = (before: number): void => {
      this.#timer = setTimeout(() => {
        const { offset } = this.#journal.position
        const isBusy = offset !== before && Date.now() < latest && this.#journal.backlog < MAX_BEHIND_BYTES
        if (isBusy) look(offset)
        else this.#passNow()
      }, QUIET_MS)
      this.#timer.unref()
    }
    look(this.#journal.position.offset)
  }

  #passNow(): void {
    this.#timer = undefined
    this.#soon().catch((error: unknown) => {
      this.#warn(error)
      if (this.#timer !== undefined || this.#stopped) return
      this.#timer = setTimeout(() => this.#passNow(), RETRY_MS)
      this.#timer.unref()
    })
  }

  /** One pass that begins after now: the running one may have looked at the file before our line was in it. */
  #soon(): Promise<void> {
    if (this.#next !== undefined) return this.#next
    const before = this.#running ?? Promise.resolve()
    const next = before
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        this.#running = this.#pass().finally(() => {
          this.#running = undefined
        })
        return this.#running
      })
    this.#next = next
    return next
  }

  async #pass(): Promise<void> {
    try {
      const files = journalFiles(this.#journal.dir)
      this.#positions ??= await this.#storedPositions(files)
      for (const file of files) await this.#ingestFile(file, this.#positions)
      this.#failing = false
    } catch (error) {
      this.#positions = undefined
      throw storeError(error)
    }
  }

  async #ingestFile(file: string, positions: Map<string, number>): Promise<void> {
    const path = join(this.#journal.dir, file)
    const current = this.#journal.position
    // The file that is being written is read up to where it was when we looked; no line is half there.
    const end = file === current.file ? current.offset : Number.MAX_SAFE_INTEGER
    let at = positions.get(file) ?? 0
    this.#journal.ingested({ file, offset: at })
    for (;;) {
      const stretch = at < end ? await this.#thread.read({ path, from: at, end }) : undefined
      if (stretch === undefined) break
      if (stretch.damaged > 0)
        this.#log.warn({ file, lines: stretch.damaged }, 'damaged journal lines left out')
      at = stretch.to
      await writeStretch(this.#store.db, stretch, { file, offset: at })
      positions.set(file, at)
      this.#journal.ingested({ file, offset: at })
    }
    if (file < current.file) await this.#remove(file, positions)
  }

  /** The file goes first: a position without a file is harmless, a file without a position would be taken in twice. */
  async #remove(file: string, positions: Map<string, number>): Promise<void> {
    await unlink(join(this.#journal.dir, file))
    await this.#store.db.deleteFrom('journal_positions').where('file', '=', file).execute()
    positions.delete(file)
    this.#journal.forget(file)
  }

  async #storedPositions(files: readonly string[]): Promise<Map<string, number>> {
    if (files.length === 0) return new Map()
    const rows = await this.#store.db
      .selectFrom('journal_positions')
      .selectAll()
      .where('file', 'in', files)
      .execute()
    return new Map(rows.map((row) => [row.file, row.position]))
  }

  #warn(error: unknown): void {
    if (this.#failing) return
    this.#failing = true
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    this.#log.warn(
      { reason: cause instanceof Error ? cause.message : 'unknown' },
      'the journal cannot be taken into the store; it is kept and tried again',
    )
  }
}
