import { randomBytes } from 'node:crypto'
import type { ApprovalEvent, ApprovalFeed } from './feed.ts'

/** Whoever was away for longer reads the list again. */
const KEPT = 2000

interface Kept {
  readonly n: number
  readonly event: ApprovalEvent
}

export interface EventsSince {
  /** Where to go on. */
  readonly cursor: string
  /** Some that came after the given cursor are gone: what is known must be read anew. */
  readonly missed: boolean
  readonly events: readonly ApprovalEvent[]
}

/** The last things that happened, for watchers that come back again and again. A cursor is for one run of the gateway. */
export class RecentEvents implements Disposable {
  readonly #run = randomBytes(6).toString('hex')
  readonly #kept: Kept[] = []
  readonly #waiting = new Set<() => void>()
  readonly #subscription: Disposable
  #n = 0

  constructor(feed: ApprovalFeed) {
    this.#subscription = feed.subscribe((event) => {
      this.#n += 1
      this.#kept.push({ n: this.#n, event })
      if (this.#kept.length > KEPT) this.#kept.shift()
      for (const wake of this.#waiting) wake()
    })
  }

  /** What came after the cursor; without one, nothing but where to begin. */
  since(cursor: string | undefined): EventsSince {
    const [run, text] = cursor?.split('.') ?? []
    const n = Number(text)
    const known = run === this.#run && Number.isSafeInteger(n) && n >= 0 && n <= this.#n
    const here = `${this.#run}.${this.#n}`
    if (cursor === undefined) return { cursor: here, missed: false, events: [] }
    const oldest = this.#kept[0]?.n ?? this.#n + 1
    if (!known || n + 1 < oldest) return { cursor: here, missed: true, events: [] }
    return {
      cursor: here,
      missed: false,
      events: this.#kept.filter((one) => one.n > n).map(({ event }) => event),
    }
  }

  /** Resolves when something has happened, or with the signal. */
  async next(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => resolve()
    this.#waiting.add(wake)
    signal.addEventListener('abort', wake)
    await promise
    this.#waiting.delete(wake)
    signal.removeEventListener('abort', wake)
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
    for (const wake of this.#waiting) wake()
  }
}
