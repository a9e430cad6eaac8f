import type { Catalog } from '../access/catalog.ts'
import type { Target } from '../access/model.ts'

/** Reads what there is on a target. @throws SallyportError TARGET_UNREACHABLE, TARGET_ISSUER_FAILED */
export type ReadCatalog = (target: Target, signal: AbortSignal) => Promise<Catalog>

interface Known {
  readonly target: Target
  readonly catalog: Catalog
  /** Counts up with every change of the catalog. */
  readonly generation: number
  readonly readAt: number
}

/** A catalog this old is read again before a session opens on it; until then the old one is better than waiting. */
const STALE_MS = 30_000
const READ_MS = 10_000
/** What others change on a target is seen after this long at the latest; finding out that nothing was costs it some ms. */
const LOOK_MS = 10_000
/** A target that no session was opened on for this long is not looked at; sessions do not live as long. */
const UNUSED_MS = 3_600_000
/** A statement that changes the catalog is permitted before it runs: the change is looked for when it may be done. */
const AFTER_DDL_MS = [100, 1000, 5000]

/**
 * The catalogs of targets: read when first needed, and looked at again when a statement may have changed them and every few
 * seconds, because others change them too.
 */
export class Catalogs implements Disposable {
  readonly #read: ReadCatalog
  readonly #onChange: (target: string) => void
  readonly #now: () => number
  readonly #known = new Map<string, Known>()
  readonly #reading = new Map<string, Promise<Known>>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #used = new Map<string, { readonly target: Target; readonly at: number }>()
  readonly #look: NodeJS.Timeout
  #changes = 0

  /**
   * `onChange`: what was made for the catalog of the target of that name, as it was, may no longer fit. `now`: epoch
   * milliseconds.
   */
  constructor(read: ReadCatalog, onChange: (target: string) => void, now: () => number = Date.now) {
    this.#read = read
    this.#onChange = onChange
    this.#now = now
    this.#look = setInterval(() => this.#lookAgain(), LOOK_MS)
    this.#look.unref()
  }

  /** @throws SallyportError when the catalog was never read and cannot be: no names, no decisions */
  async of(target: Target): Promise<Catalog> {
    this.#used.set(target.name, { target, at: this.#now() })
    const known = this.#known.get(target.name)
    if (known === undefined) return (await this.#refresh(target)).catalog
    if (this.#now() - known.readAt > STALE_MS) void this.#refresh(target).catch(() => undefined)
    return known.catalog
  }

  /** Counts up whenever `current` may answer otherwise than before, for those who ask it with every message. */
  get changes(): number {
    return this.#changes
  }

  /** The catalog that `of` gave or a newer one. */
  current(target: Target): { readonly catalog: Catalog; readonly generation: number } | undefined {
    return this.#known.get(target.name)
  }

  /**
   * As it is now: read after this was called.
   * @throws SallyportError TARGET_UNREACHABLE, TARGET_ISSUER_FAILED
   */
  async latest(target: Target): Promise<Catalog> {
    await this.#reading.get(target.name)?.catch(() => undefined)
    return (await this.#refresh(target)).catalog
  }

  /** A statement was permitted that changes what there is. */
  mayChange(target: Target): void {
    for (const delay of AFTER_DDL_MS) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        // Under its name there may be another one by now.
        const used = this.#used.get(target.name)
        if (used !== undefined) void this.#refresh(used.target).catch(() => undefined)
      }, delay)
      timer.unref()
      this.#timers.add(timer)
    }
  }

  /**
   * Targets' definitions changed: what was read may be of another database.
   * @param isSame whether a target is what it was, so that its catalog can be kept
   */
  forget(isSame: (target: Target) => boolean = () => false): void {
    this.#changes++
    for (const [name, { target }] of this.#used) {
      if (isSame(target)) continue
      this.#used.delete(name)
      this.#known.delete(name)
      this.#reading.delete(name)
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#look)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #lookAgain(): void {
    for (const [name, { target, at }] of this.#used) {
      if (this.#now() - at > UNUSED_MS) this.#used.delete(name)
      else void this.#refresh(target).catch(() => undefined)
    }
  }

  #refresh(target: Target): Promise<Known> {
    const running = this.#reading.get(target.name)
    if (running !== undefined) return running
    const isCurrent = (): boolean => this.#reading.get(target.name) === reading
    const reading = this.#readInto(target, isCurrent).finally(() => {
      if (isCurrent()) this.#reading.delete(target.name)
    })
    this.#reading.set(target.name, reading)
    return reading
  }

  /** `isCurrent`: false once the target may have been redefined, and what was read is only for whoever asked for it. */
  async #readInto(target: Target, isCurrent: () => boolean): Promise<Known> {
    const catalog = await this.#read(target, AbortSignal.timeout(READ_MS))
    const before = this.#known.get(target.name)
    const changed = before?.catalog.version !== catalog.version
    const generation = (before?.generation ?? 0) + (changed ? 1 : 0)
    const known = { target, catalog, generation, readAt: this.#now() }
    if (!isCurrent()) return known
    this.#known.set(target.name, known)
    this.#changes++
    if (before !== undefined && changed) this.#onChange(target.name)
    return known
  }
}
