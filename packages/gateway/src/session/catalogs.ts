import type { Catalog } from '../access/catalog.ts'
import type { Target } from '../access/model.ts'

/** Reads what there is on a target. @throws SallyportError TARGET_UNREACHABLE, TARGET_ISSUER_FAILED */
export type ReadCatalog = (target: Target, signal: AbortSignal) => Promise<Catalog>

interface Known {
  catalog: Catalog
  /** Counts up with every change of the catalog. */
  generation: number
  readAt: number
}

/** A catalog this old is read again before a session opens on it; until then the old one is better than waiting. */
const STALE_MS = 30_000
const READ_MS = 10_000
/** A statement that changes the catalog is permitted before it runs: the change is looked for when it may be done. */
const AFTER_DDL_MS = [100, 1000, 5000]

/** The catalogs of targets, read when first needed and again after a while or when a statement may have changed them. */
export class Catalogs {
  readonly #read: ReadCatalog
  readonly #onChange: () => void
  readonly #now: () => number
  readonly #known = new Map<string, Known>()
  readonly #reading = new Map<string, Promise<Known>>()
  readonly #timers = new Set<NodeJS.Timeout>()

  /** `onChange`: what was made for the catalog as it was may no longer fit. `now`: epoch milliseconds. */
  constructor(read: ReadCatalog, onChange: () => void, now: () => number = Date.now) {
    this.#read = read
    this.#onChange = onChange
    this.#now = now
  }

  /** @throws SallyportError when the catalog was never read and cannot be: no names, no decisions */
  async of(target: Target): Promise<Catalog> {
    const known = this.#known.get(target.name)
    if (known === undefined) return (await this.#refresh(target)).catalog
    if (this.#now() - known.readAt > STALE_MS) void this.#refresh(target).catch(() => undefined)
    return known.catalog
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
        void this.#refresh(target).catch(() => undefined)
      }, delay)
      timer.unref()
      this.#timers.add(timer)
    }
  }

  /** Targets' definitions changed: what was read may be of another database. */
  forget(): void {
    this.#known.clear()
    this.#reading.clear()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
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
    const known = { catalog, generation: (before?.generation ?? 0) + (changed ? 1 : 0), readAt: this.#now() }
    if (!isCurrent()) return known
    this.#known.set(target.name, known)
    if (before !== undefined && changed) this.#onChange()
    return known
  }
}
