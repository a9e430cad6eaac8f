import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LRUCache } from 'lru-cache'

/** Nobody reads more in one sitting. */
const MAX_TEXT = 16 * 1024
/** A layout that is so much longer than its text helps nobody, and is not sent around. */
const MAX_FORMATTED = 128 * 1024
/** The formatter's time grows with the square of some texts: 16,000 semicolons take it six seconds. */
const TIMEOUT_MS = 2000
/** Processes at once; whoever comes then sees the text alone. */
const MAX_PROCESSES = 2
const HEAP_MB = 128

/**
 * Lays statements out for reading, in processes of their own: no text that an agent sends may stop the gateway. A thread would
 * not do: where its heap is full, V8 ends the whole process, whatever limit the thread was given.
 */
export class StatementFormatter {
  readonly #known = new LRUCache<string, { readonly formatted: string | undefined }>({ max: 500 })
  #processes = 0

  /**
   * The statement laid out for reading, beside the text itself: it may be laid out wrongly, and is never what runs. Undefined
   * where it cannot be, or not in time. Never rejects.
   */
  async format(text: string): Promise<string | undefined> {
    if (text.length > MAX_TEXT) return undefined
    const key = createHash('sha256').update(text).digest('base64')
    const known = this.#known.get(key)
    if (known !== undefined) return known.formatted
    if (this.#processes >= MAX_PROCESSES) return undefined
    this.#processes += 1
    try {
      const formatted = await inProcess(text)
      this.#known.set(key, { formatted })
      return formatted
    } finally {
      this.#processes -= 1
    }
  }
}

async function inProcess(text: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  // The same file beside this one, as source (.ts) or built (.js).
  const file = new URL(`./formatter-process${extname(import.meta.url)}`, import.meta.url)
  const child = fork(fileURLToPath(file), [], {
    env: {},
    execArgv: [`--max-old-space-size=${HEAP_MB}`],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const timer = setTimeout(() => resolve(undefined), TIMEOUT_MS)
  child.on('message', (formatted: unknown) =>
    resolve(typeof formatted === 'string' && formatted.length <= MAX_FORMATTED ? formatted : undefined),
  )
  child.on('error', () => resolve(undefined))
  child.on('exit', () => resolve(undefined))
  child.send(text, (error) => {
    if (error !== null) resolve(undefined)
  })
  const formatted = await promise
  clearTimeout(timer)
  child.kill('SIGKILL')
  return formatted
}
