import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Catalog } from '../../access/catalog.ts'
import type { BareNames } from '../sql/search-path.ts'
import type { CatalogDelivery, ParserAnswer, ParserQuestion } from './parser-answer.ts'

/** Deep expressions need stack: with 64 MB, 50,000 terms in a row parse; with Node's 4 MB, 10,000 do not. */
const STACK_MB = 64
/** Bounds what one hostile statement can make the thread allocate before it is ended. */
const HEAP_MB = 512

/** One per target, its last version; a gateway with more targets sends some of them again. */
const MAX_CATALOGS = 8

/** How the thread ended, or what it answered. Never both for one question. */
export interface ThreadListener {
  ready(): void
  answered(answer: ParserAnswer): void
  /** It died by itself: out of memory, or a failure at start. */
  died(reason: string): void
}

/** One thread with one instance of the parser. */
export class ParserThread {
  readonly #worker: Worker
  /** By identity: a catalog never changes, and a new version of it is a new one. */
  readonly #catalogs = new Map<Catalog, number>()
  #nextCatalog = 1
  #ended = false

  constructor(listener: ThreadListener) {
    // The same file beside this one, as source (.ts) or built (.js).
    const file = new URL(`./parser-worker${extname(import.meta.url)}`, import.meta.url)
    this.#worker = new Worker(file, {
      resourceLimits: { stackSizeMb: STACK_MB, maxOldGenerationSizeMb: HEAP_MB },
      env: {},
      execArgv: [],
    })
    this.#worker.unref()
    this.#worker.on('message', (answer: ParserAnswer) => {
      if (this.#ended) return
      if (answer.id === 0) listener.ready()
      else listener.answered(answer)
    })
    const died = (reason: string) => {
      if (this.#ended) return
      this.#ended = true
      listener.died(reason)
    }
    this.#worker.on('error', (error) => died(error.message))
    this.#worker.on('exit', (code) => died(`it exited with ${code}`))
  }

  ask(id: number, text: string, catalog: Catalog, names: BareNames, counts: boolean): void {
    // Only a thread at work keeps the process alive.
    this.#worker.ref()
    const question: ParserQuestion = {
      id,
      text,
      catalog: this.#deliver(catalog),
      names,
      ...(counts ? { counts } : {}),
    }
    this.#worker.postMessage(question, [])
  }

  /** Sends a catalog that the thread does not have yet: it is large, and questions are many. */
  #deliver(catalog: Catalog): number {
    const known = this.#catalogs.get(catalog)
    if (known !== undefined) {
      // The one used last is forgotten last.
      this.#catalogs.delete(catalog)
      this.#catalogs.set(catalog, known)
      return known
    }
    const key = this.#nextCatalog++
    const [oldest] = this.#catalogs
    const isFull = this.#catalogs.size >= MAX_CATALOGS && oldest !== undefined
    if (isFull) this.#catalogs.delete(oldest[0])
    const delivery: CatalogDelivery = { key, catalog, ...(isFull ? { forget: oldest[1] } : {}) }
    this.#worker.postMessage(delivery, [])
    this.#catalogs.set(catalog, key)
    return key
  }

  rest(): void {
    this.#worker.unref()
  }

  /** Ends it at once, in the middle of whatever it does; nothing is heard of it afterwards. */
  async end(): Promise<void> {
    this.#ended = true
    await this.#worker.terminate()
  }
}
