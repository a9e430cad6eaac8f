import type { Capability } from '../access/capability.ts'
import type { Target } from '../access/model.ts'
import type { HeldLease } from './held-lease.ts'
import type { LeaseLog } from './ports.ts'

/** A capability that nobody has asked for in this time is not in use. */
const UNUSED_MS = 10 * 60_000
/** Each kept capability holds `prewarm` connections on its target; the least used gives way to a new one. */
const MAX_CAPABILITIES = 64
/** More at once would take the target's and our time from the sessions that are waiting for theirs. */
const MAX_FILLING = 2
const FILL_MS = 10_000
const CHECK_MS = 5_000
const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 60_000

export interface WarmLeasesOptions {
  /** Makes a lease that belongs to no session yet. */
  readonly make: (target: Target, capability: Capability, signal: AbortSignal) => Promise<HeldLease>
  /** Revokes one that will belong to none. */
  readonly retire: (lease: HeldLease) => void
  readonly log: LeaseLog
  readonly now: () => number
}

interface Shelf {
  target: Target
  readonly capability: Capability
  readonly ready: HeldLease[]
  filling: number
  lastUsed: number
  failures: number
  retryAt: number
}

/**
 * Leases made and connected ahead of demand, per target and capability in use, so that a session begins
 * without waiting for the target. Each is handed out once: what a session has used is never put back.
 */
export class WarmLeases implements AsyncDisposable {
  readonly #options: WarmLeasesOptions
  readonly #shelves = new Map<string, Shelf>()
  readonly #fills = new Set<Promise<void>>()
  readonly #stopping = new AbortController()
  readonly #timer: NodeJS.Timeout
  #pumping = false

  constructor(options: WarmLeasesOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.check(), CHECK_MS)
    this.#timer.unref()
  }

  /** How many are connected, and would be handed out. */
  get ready(): number {
    let ready = 0
    for (const shelf of this.#shelves.values())
      ready += shelf.ready.filter((lease) => this.#isFresh(lease)).length
    return ready
  }

  /**
   * A connected lease, if there is one. Marks the capability as in use, and has the gap filled afterwards.
   */
  take(target: Target, capability: Capability): HeldLease | undefined {
    if (target.credentials.prewarm <= 0 || this.#stopping.signal.aborted) return undefined
    const shelf = this.#shelf(target, capability)
    shelf.lastUsed = this.#options.now()
    let taken: HeldLease | undefined
    while (taken === undefined && shelf.ready.length > 0) {
      const lease = shelf.ready.shift()
      if (lease === undefined) break
      if (this.#isFresh(lease)) taken = lease
      else this.#options.retire(lease)
    }
    this.#pumpSoon()
    return taken
  }

  /** Removes what is too old, dead or unused, and fills the gaps. Runs every few seconds by itself. */
  check(): void {
    const now = this.#options.now()
    for (const [key, shelf] of this.#shelves) {
      const unused = now - shelf.lastUsed >= UNUSED_MS
      const stale = shelf.ready.filter((lease) => !this.#isFresh(lease))
      for (const lease of stale) {
        shelf.ready.splice(shelf.ready.indexOf(lease), 1)
        this.#options.retire(lease)
      }
      if (unused) {
        this.#empty(shelf)
        this.#shelves.delete(key)
      }
    }
    this.#pump()
  }

  /** Revokes all of them, or those on one target, those that are being made too. */
  discard(target?: string): void {
    for (const [key, shelf] of this.#shelves) {
      if (target !== undefined && shelf.target.name !== target) continue
      this.#empty(shelf)
      this.#shelves.delete(key)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort(new Error('the gateway is stopping'))
    this.discard()
    await Promise.all(this.#fills)
  }

  #shelf(target: Target, capability: Capability): Shelf {
    const key = JSON.stringify([target.name, capability.hash])
    let shelf = this.#shelves.get(key)
    shelf ??= { target, capability, ready: [], filling: 0, lastUsed: 0, failures: 0, retryAt: 0 }
    // Taken out and put in again: the map's order is that of last use.
    this.#shelves.delete(key)
    this.#shelves.set(key, shelf)
    shelf.target = target
    const [oldest] = this.#shelves
    if (oldest !== undefined && this.#shelves.size > MAX_CAPABILITIES) {
      this.#empty(oldest[1])
      this.#shelves.delete(oldest[0])
    }
    return shelf
  }

  #isFresh(lease: HeldLease): boolean {
    const age = this.#options.now() - lease.madeAt
    return lease.alive && !lease.signal.aborted && age < (lease.target.credentials.ttlSeconds * 1000) / 2
  }

  #empty(shelf: Shelf): void {
    for (const lease of shelf.ready.splice(0)) this.#options.retire(lease)
  }

  #pumpSoon(): void {
    if (this.#pumping) return
    this.#pumping = true
    // After the session that is being opened now has got its turn.
    setImmediate(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#stopping.signal.aborted) return
    const now = this.#options.now()
    // Last used first: somebody is most likely to come back for that.
    for (const shelf of [...this.#shelves.values()].toReversed()) {
      const gap = shelf.target.credentials.prewarm - shelf.ready.length - shelf.filling
      const room = MAX_FILLING - this.#fills.size
      if (room <= 0) return
      if (shelf.retryAt > now) continue
      for (let i = 0; i < Math.min(gap, room); i++) this.#fill(shelf)
    }
  }

  #fill(shelf: Shelf): void {
    shelf.filling++
    const fill = this.#fillOne(shelf).finally(() => {
      shelf.filling--
      this.#fills.delete(fill)
      this.#pump()
    })
    this.#fills.add(fill)
  }

  async #fillOne(shelf: Shelf): Promise<void> {
    const { make, retire, log, now } = this.#options
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(FILL_MS)])
    let lease: HeldLease | undefined
    try {
      lease = await make(shelf.target, shelf.capability, signal)
      await lease.warm()
      shelf.failures = 0
      // A shelf that was discarded meanwhile is another one, if there is one again.
      if ([...this.#shelves.values()].includes(shelf)) shelf.ready.push(lease)
      else retire(lease)
    } catch (error) {
      if (lease !== undefined) retire(lease)
      const wait = Math.min(FIRST_RETRY_MS * 2 ** shelf.failures++, MAX_RETRY_MS)
      shelf.retryAt = now() + wait * (0.5 + Math.random())
      if (this.#stopping.signal.aborted) return
      log.warn({ target: shelf.target.name, error: String(error) }, 'no lease could be made ahead of demand')
    }
  }
}
