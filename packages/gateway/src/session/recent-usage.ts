import { LRUCache } from 'lru-cache'
import type { Principal, RecentUsage, Usage } from '../access/model.ts'

/** Principals on targets that are remembered: 2 KB each. Whoever was forgotten begins at nothing. */
const MOST = 5000
const SLICES = 60

/** What principals did on targets within the last minute and hour, in all their sessions on this gateway. */
export class UsageBook {
  readonly #pages = new LRUCache<string, UsagePage>({ max: MOST })

  /** One page for all sessions of a principal, acting for the same person, on a target. */
  of(principal: Principal, target: string): UsagePage {
    const key = JSON.stringify([principal.kind, principal.id, principal.actingFor?.id ?? null, target])
    const known = this.#pages.get(key) ?? new UsagePage()
    this.#pages.set(key, known)
    return known
  }
}

/**
 * Counts in sixty slices of a second and sixty of a minute. What is older than a window by less than one slice may still be
 * counted: never too little.
 */
export class UsagePage {
  readonly #seconds = new Ring(1000)
  readonly #minutes = new Ring(60_000)

  /** @param now epoch milliseconds */
  statement(now: number, permitted: boolean): void {
    this.#seconds.add(now, 1, 0, permitted ? 0 : 1)
    this.#minutes.add(now, 1, 0, permitted ? 0 : 1)
  }

  rows(now: number, count: number): void {
    this.#seconds.add(now, 0, count, 0)
    this.#minutes.add(now, 0, count, 0)
  }

  recent(now: number): RecentUsage {
    return { lastMinute: this.#seconds.sum(now), lastHour: this.#minutes.sum(now) }
  }
}

class Ring {
  readonly #width: number
  /** Statements, rows and denials of each slice. */
  readonly #counts = new Float64Array((SLICES + 1) * 3)
  /** The number of the newest slice, from the epoch, and when it ends. */
  #newest = 0
  #until = 0

  constructor(width: number) {
    this.#width = width
  }

  add(now: number, statements: number, rows: number, denials: number): void {
    if (now >= this.#until) this.#moveTo(now)
    const at = (this.#newest % (SLICES + 1)) * 3
    this.#counts[at] = (this.#counts[at] ?? 0) + statements
    this.#counts[at + 1] = (this.#counts[at + 1] ?? 0) + rows
    this.#counts[at + 2] = (this.#counts[at + 2] ?? 0) + denials
  }

  sum(now: number): Usage {
    this.#moveTo(now)
    const sums = [0, 0, 0]
    for (let i = 0; i < this.#counts.length; i++) sums[i % 3] = (sums[i % 3] ?? 0) + (this.#counts[i] ?? 0)
    const [statements = 0, rows = 0, denials = 0] = sums
    return { statements, rows, denials }
  }

  /** Empties the slices that have gone by; a clock that is set back counts into the newest one. */
  #moveTo(now: number): void {
    const slice = Math.max(this.#newest, Math.floor(now / this.#width))
    for (let gone = Math.max(this.#newest + 1, slice - SLICES); gone <= slice; gone++) {
      this.#counts.fill(0, (gone % (SLICES + 1)) * 3, (gone % (SLICES + 1)) * 3 + 3)
    }
    this.#newest = slice
    this.#until = (slice + 1) * this.#width
  }
}
