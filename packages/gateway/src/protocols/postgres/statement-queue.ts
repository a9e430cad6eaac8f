/** A text that waits to be read, and how to say what came of it. */
export interface Waiting {
  readonly text: string
  readonly session: string
}

/** One session may have this many statements waiting: more than any driver pipelines while it waits for an answer. */
const MAX_PER_SESSION = 256
/** All sessions together: at 256 KiB each this bounds the memory, at 50 µs each the delay. */
const MAX_WAITING = 4096

/** Statements that wait for a parser: each session in turn, so that one that sends many delays only itself. */
export class WaitingStatements<T extends Waiting> {
  readonly #queues = new Map<string, T[]>()
  #size = 0

  /** False when it is full for this session, or at all. */
  add(item: T): boolean {
    const queue = this.#queues.get(item.session)
    if (this.#size >= MAX_WAITING || (queue && queue.length >= MAX_PER_SESSION)) return false
    if (queue) queue.push(item)
    else this.#queues.set(item.session, [item])
    this.#size++
    return true
  }

  /** The next one, of the session that has waited longest for its turn. */
  next(): T | undefined {
    for (const [session, queue] of this.#queues) {
      const item = queue.shift()
      this.#queues.delete(session)
      if (queue.length > 0) this.#queues.set(session, queue)
      if (item === undefined) continue
      this.#size--
      return item
    }
    return undefined
  }
}
