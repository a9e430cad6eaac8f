import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Stretch } from './read-stretch.ts'

/** As the parameters of `StretchReader.read`. */
export interface StretchQuestion {
  readonly path: string
  readonly from: number
  readonly end: number
}

export type StretchAnswer = { readonly stretch: Stretch | undefined } | { readonly failed: string }

/**
 * Reads stretches of the journal in a thread of its own: tens of thousands of lines a second are sorted and compressed there
 * while sessions work in this one, and they would wait for it. The thread is made when it is first needed, and again after
 * it died.
 */
export class StretchThread {
  #worker: Worker | undefined

  /**
   * As `StretchReader.read`. One question at a time.
   * @throws Error as well when the thread died of it
   */
  async read(question: StretchQuestion): Promise<Stretch | undefined> {
    const worker = (this.#worker ??= this.#start())
    // Only a thread at work keeps the process alive.
    worker.ref()
    try {
      const answer = await answerOf(worker, question)
      if ('failed' in answer) throw new Error(answer.failed)
      return answer.stretch
    } finally {
      worker.unref()
    }
  }

  /** Ends the thread; what it was asked and has not answered fails. */
  async end(): Promise<void> {
    await this.#worker?.terminate()
  }

  #start(): Worker {
    // The same file beside this one, as source (.ts) or built (.js).
    const file = new URL(`./stretch-worker${extname(import.meta.url)}`, import.meta.url)
    const worker = new Worker(file, { env: {}, execArgv: [] })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined
    })
    // Whoever waits for an answer hears of it; when nobody does, it is no reason for this process to end as well.
    worker.on('error', () => undefined)
    return worker
  }
}

function answerOf(worker: Worker, question: StretchQuestion): Promise<StretchAnswer> {
  return new Promise((resolve, reject) => {
    const settled = (): void => {
      worker.off('message', answered).off('error', failed).off('exit', exited)
    }
    const answered = (answer: StretchAnswer): void => {
      settled()
      resolve(answer)
    }
    const failed = (error: Error): void => {
      settled()
      reject(error)
    }
    const exited = (code: number): void => {
      settled()
      reject(new Error(`the thread that reads the journal exited with ${code}`))
    }
    worker.on('message', answered).on('error', failed).on('exit', exited)
    worker.postMessage(question, [])
  })
}
