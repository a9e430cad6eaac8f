/** The longest delay that a timer takes; one that is further away is looked at again then. */
const MAX_DELAY = 2 ** 31 - 1

/** Calls back for an id when its time has come. One timer each: a thousand of them cost next to nothing. */
export class Deadlines implements Disposable {
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #due: (id: string) => void

  constructor(due: (id: string) => void) {
    this.#due = due
  }

  /** In place of an earlier deadline of the same id. */
  set(id: string, at: Date, now: Date): void {
    this.clear(id)
    const delay = Math.max(0, at.getTime() - now.getTime())
    const timer = setTimeout(
      () => {
        this.#timers.delete(id)
        this.#due(id)
      },
      Math.min(delay, MAX_DELAY),
    )
    timer.unref()
    this.#timers.set(id, timer)
  }

  clear(id: string): void {
    clearTimeout(this.#timers.get(id))
    this.#timers.delete(id)
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }
}
