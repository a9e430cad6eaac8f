import { LRUCache } from 'lru-cache'
import type { Catalog } from '../../access/catalog.ts'
import type { StatementReading } from '../../access/model.ts'
import type { Verdict } from '../contract.ts'
import type { SqlReading } from '../sql/reading.ts'
import type { BareNames } from '../sql/search-path.ts'
import { resolveReading } from './inspect.ts'

/** A statement that was read before, with its names resolved as the target would. */
export interface KnownStatement {
  readonly reading: StatementReading
  /**
   * What it makes, uses and changes of the session's own: the name under which PREPARE keeps its inner statement, the
   * cursor that it declares, what it runs and reads by name. What those are, only the session knows.
   */
  readonly session: Pick<SqlReading, 'prepares' | 'declares' | 'executes' | 'fetches' | 'closes' | 'changes'>
  /** What its names were resolved under: with another catalog, or with other bare names, it has to be read again. */
  readonly catalogVersion: string
  readonly names: BareNames
}

/** Reads statements, away from the event loop. */
export interface SqlReader {
  read(text: string, session: string): Promise<SqlReading>
}

/** Entries and bytes of keys that are kept: enough for the shapes of some hundred applications, and bounded against none. */
const MAX_ENTRIES = 10_000
const MAX_BYTES = 64 * 1024 * 1024

/** What statements do, by shape where only that matters and by text otherwise. Shared by all sessions on one target. */
export class StatementCache {
  readonly #reader: SqlReader
  readonly #known = new LRUCache<string, KnownStatement>({
    max: MAX_ENTRIES,
    maxSize: MAX_BYTES,
    sizeCalculation: (value, key) => key.length * 2 + value.reading.operations.length * 100 + 200,
  })
  /** What the verdicts that were kept are about: a Parse needs to know, and would otherwise look it up by its text. */
  readonly #judged = new WeakMap<Verdict, KnownStatement>()
  #catalogVersion: string | undefined

  constructor(reader: SqlReader) {
    this.#reader = reader
  }

  /** `shape` is undefined where the text has none. Never parses. */
  get(
    shape: string | undefined,
    text: string,
    catalog: Catalog,
    names: BareNames,
  ): KnownStatement | undefined {
    this.#forgetOthersThan(catalog)
    const byShape = shape === undefined ? undefined : this.#known.get(shapeId(shape, names))
    return byShape ?? this.#known.get(textId(text, names))
  }

  /** A verdict on this statement is kept. */
  judged(verdict: Verdict, known: KnownStatement): void {
    this.#judged.set(verdict, known)
  }

  /** The statement that a kept verdict is on. */
  ofVerdict(verdict: Verdict): KnownStatement | undefined {
    return this.#judged.get(verdict)
  }

  /** Parses and remembers. @throws what the reader throws: nothing is known then, and nothing may be forwarded */
  async read(
    shape: string | undefined,
    text: string,
    catalog: Catalog,
    names: BareNames,
    session: string,
  ): Promise<KnownStatement> {
    const sql = await this.#reader.read(text, session)
    const reading = resolveReading(sql, catalog, names)
    const known = { reading, session: sql, catalogVersion: catalog.version, names }
    this.#forgetOthersThan(catalog)
    const isByShape = shape !== undefined && reading.dependsOn === 'shape'
    this.#known.set(isByShape ? shapeId(shape, names) : textId(text, names), known)
    return known
  }

  /** Names were resolved under one catalog; under another they may mean something else. */
  #forgetOthersThan(catalog: Catalog): void {
    if (this.#catalogVersion === catalog.version) return
    this.#known.clear()
    this.#catalogVersion = catalog.version
  }
}

/** A text could look like another statement's shape; under different prefixes neither is taken for the other. */
function shapeId(shape: string, names: BareNames): string {
  return `s${names.key}\0${shape}`
}

function textId(text: string, names: BareNames): string {
  return `t${names.key}\0${text}`
}
