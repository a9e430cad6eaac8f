import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { LRUCache } from 'lru-cache'

/** Nobody reads more in one sitting. */
const MAX_TEXT = 16 * 1024
/** A layout that is so much longer than its text helps nobody, and is not sent around. */
const MAX_FORMATTED = 128 * 1024
/** The formatter's time grows with the square of some texts: 16,000 semicolons take it six seconds. */
const TIMEOUT_MS = 1000
/** Threads at once; whoever comes then sees the text alone. */
const MAX_THREADS = 2
const HEAP_MB = 128

/** Lays statements out for reading, in threads of their own: no text that an agent sends may stop the gateway. */
export class StatementFormatter {
  readonly #known = new LRUCache<string, { readonly formatted: string | undefined }>({ max: 500 })
  #threads = 0

  /**
   * The statement laid out for reading, beside the text itself: it may be laid out wrongly, and is never what runs. Undefined
   * where it cannot be, or not in time. Never rejects.
   */
  async format(text: string): Promise<string | undefined> {
    if (text.length > MAX_TEXT) return undefined
    const key = createHash('sha256').update(text).digest('base64')
    const known = this.#known.get(key)
    if (known !== undefined) return known.formatted
    if (this.#threads >= MAX_THREADS) return undefined
    this.#threads += 1
    try {
      const formatted = await inThread(text)
      this.#known.set(key, { formatted })
      return formatted
    } finally {
      this.#threads -= 1
    }
  }
}

async function inThread(text: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  // The same file beside this one, as source (.ts) or built (.js).
  const worker = new Worker(new URL(`./formatter-worker${extname(import.meta.url)}`, import.meta.url), {
    workerData: text,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    env: {},
    execArgv: [],
  })
  const timer = setTimeout(() => resolve(undefined), TIMEOUT_MS)
  worker.on('message', (formatted: unknown) =>
    resolve(typeof formatted === 'string' && formatted.length <= MAX_FORMATTED ? formatted : undefined),
  )
  worker.on('error', () => resolve(undefined))
  worker.on('exit', () => resolve(undefined))
  const formatted = await promise
  clearTimeout(timer)
  await worker.terminate()
  return formatted
}
