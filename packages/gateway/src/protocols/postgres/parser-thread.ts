import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ParserAnswer, ParserQuestion } from './parser-answer.ts'

/** Deep expressions need stack: with 64 MB, 50,000 terms in a row parse; with Node's 4 MB, 10,000 do not. */
const STACK_MB = 64
/** Bounds what one hostile statement can make the thread allocate before it is ended. */
const HEAP_MB = 512

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

  ask(id: number, text: string): void {
    // Only a thread at work keeps the process alive.
    this.#worker.ref()
    this.#worker.postMessage({ id, text } satisfies ParserQuestion, [])
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
