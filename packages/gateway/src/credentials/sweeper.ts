import { SallyportError } from '../access/errors.ts'
import type { CredentialIssuer } from '../protocols/contract.ts'
import type { LeaseRow } from './ports.ts'
import { type Revocation, revokeLease } from './revoke-lease.ts'
import { Strays } from './strays.ts'
import { Retries } from './retries.ts'

const EVERY_MS = 15_000
/**
 * A CREATE ROLE that a crash has left running on its target may come true after the first round, but no later than the
 * issuer's statement timeout, 5 s, allows.
 */
const SECOND_MS = 6_000
/**
 * Per target: quick enough for thousands of rows after a crash, and most of the issuer's connections stay
 * free.
 */
const AT_ONCE = 3
const REVOKE_MS = 15_000
/** Roles for capabilities that were used this recently are kept for the next session. */
const CAPABILITY_IDLE_MS = 30_000
const RECENT_LEASES = 1_000

export interface SweeperOptions extends Revocation {
  /** This installation's id. */
  readonly owner: string
  readonly issuers: (target: string) => CredentialIssuer | undefined
  /** Names of all configured targets. */
  readonly targets: () => readonly string[]
  /** Leases that this process has live: `Leases`. */
  readonly live: { holds(id: string): boolean; revoke(id: string, why?: string): Promise<void> }
  readonly now: () => number
}

/** What one round did. `failed` will be tried again. */
export interface Swept {
  readonly revoked: number
  readonly failed: number
  /** Leases whose credential should be gone, and may still be there. */
  readonly left: number
  readonly strays: number
  readonly tidied: number
}

/**
 * Finishes what was left unfinished. Every open row that this process does not hold is from an earlier one,
 * or its revocation failed: it is revoked, again and again, until the target says that it is gone. Then roles
 * that no row knows are removed, and capability roles that nobody uses. A target that is down holds up only
 * itself.
 */
export class Sweeper implements AsyncDisposable {
  readonly #options: SweeperOptions
  readonly #startedAt: number
  readonly #retries: Retries
  readonly #strays: Strays
  #timer: NodeJS.Timeout | undefined
  #running: Promise<Swept> | undefined
  #left = 0
  #stopped = false

  constructor(options: SweeperOptions) {
    this.#options = options
    this.#startedAt = options.now()
    this.#retries = new Retries(options.now)
    this.#strays = new Strays(options, this.#retries)
  }

  /** Sweeps at once, soon again, and then every 15 s. Resolves after the first round; sessions need not wait for it. */
  async start(): Promise<void> {
    const { now } = this.#options
    const second = now() + SECOND_MS
    await this.sweep()
    this.#roundAfter(Math.max(0, second - now()))
  }

  /** Leases whose credential should be gone and may still be there, as of the last round. */
  get left(): number {
    return this.#left
  }

  /** One round; joins the one that is running. Never rejects. */
  sweep(): Promise<Swept> {
    this.#running ??= this.#sweepAll().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #roundAfter(delay: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => void this.sweep().then(() => this.#roundAfter(EVERY_MS)), delay)
    this.#timer.unref()
  }

  async #sweepAll(): Promise<Swept> {
    const { store, log, targets } = this.#options
    let rows: readonly LeaseRow[]
    try {
      rows = await store.open()
    } catch (error) {
      log.error({ error: String(error) }, 'leases cannot be swept: the store does not answer')
      return { revoked: 0, failed: 0, left: this.#left, strays: 0, tidied: 0 }
    }
    const names = new Set([...targets(), ...rows.map((row) => row.target)])
    const done = await Promise.all(
      [...names].map((name) =>
        this.#sweepTarget(
          name,
          rows.filter((row) => row.target === name),
        ),
      ),
    )
    const sum = (key: keyof Swept): number => done.reduce((total, one) => total + one[key], 0)
    this.#left = sum('left')
    return {
      revoked: sum('revoked'),
      failed: sum('failed'),
      left: this.#left,
      strays: sum('strays'),
      tidied: sum('tidied'),
    }
  }

  async #sweepTarget(target: string, rows: readonly LeaseRow[]): Promise<Swept> {
    const { log } = this.#options
    const over = rows.filter((row) => this.#isOver(row))
    const result = { revoked: 0, failed: 0, left: over.length, strays: 0, tidied: 0 }
    const issuer = this.#options.issuers(target)
    if (issuer === undefined) {
      if (over.length > 0)
        log.error({ target, leases: over.length }, 'leases cannot be revoked: their target is not configured')
      return { ...result, failed: over.length }
    }
    const due = over.filter((row) => this.#retries.isDue(row.id))
    const reachable = await this.#revokeAll(issuer, due, result)
    result.left -= result.revoked
    if (!reachable) {
      log.error({ target, leases: due.length }, 'leases cannot be revoked: their target cannot be reached')
      return result
    }
    try {
      result.strays = await this.#strays.remove(target, issuer)
      result.tidied = await issuer.tidy(
        this.#options.owner,
        await this.#used(target),
        AbortSignal.timeout(REVOKE_MS),
      )
    } catch (error) {
      log.warn(
        { target, error: String(error) },
        'the target could not be searched for roles that are left over',
      )
    }
    return result
  }

  #isOver(row: LeaseRow): boolean {
    return row.expiresAt.getTime() <= this.#options.now() || !this.#options.live.holds(row.id)
  }

  /** @returns false once the target has turned out to be down: the rest would only wait for the same */
  async #revokeAll(
    issuer: CredentialIssuer,
    due: readonly LeaseRow[],
    result: { revoked: number; failed: number },
  ): Promise<boolean> {
    const queue = due.values()
    let reachable = true
    const work = async (): Promise<void> => {
      for (const row of queue) {
        if (!reachable || this.#stopped) break
        const failure = await this.#revoke(issuer, row)
        if (failure === undefined) {
          result.revoked++
          this.#retries.forget(row.id)
        } else {
          result.failed++
          this.#retries.failed(row.id, row.attempts)
          if (failure.code === 'TARGET_UNREACHABLE') reachable = false
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    return reachable
  }

  async #revoke(issuer: CredentialIssuer, row: LeaseRow): Promise<SallyportError | undefined> {
    const { live, store } = this.#options
    if (!live.holds(row.id)) {
      // Its session may have ended, and the lease with it, since the row was read.
      const now = await store.get(row.id).catch(() => undefined)
      if (now?.state === 'revoked') return undefined
      return await revokeLease(this.#options, issuer, row, AbortSignal.timeout(REVOKE_MS))
    }
    try {
      // Its session should have ended by itself at the lease's end.
      await live.revoke(row.id, 'too old')
      return undefined
    } catch (error) {
      return SallyportError.from(error)
    }
  }

  /** Capabilities of open leases, and of those of this run that were planned a moment ago. */
  async #used(target: string): Promise<ReadonlySet<string>> {
    const { store, now } = this.#options
    const since = Math.max(this.#startedAt, now() - CAPABILITY_IDLE_MS)
    const [open, recent] = await Promise.all([
      store.open(target),
      store.list({ target, limit: RECENT_LEASES }),
    ])
    const fresh = recent.filter((row) => row.plannedAt.getTime() >= since)
    return new Set([...open, ...fresh].map((row) => row.capability))
  }
}
