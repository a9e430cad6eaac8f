import { LRUCache } from 'lru-cache'
import type { Catalog } from '../../access/catalog.ts'
import type { StatementReading } from '../../access/model.ts'
import type { Verdict } from '../contract.ts'
import type { SqlReading } from '../sql/reading.ts'
import type { BareNames } from '../sql/search-path.ts'
import type { Question } from './parser.ts'

/** A statement that was read before, with its names resolved as the target would. */
export interface KnownStatement {
  readonly reading: StatementReading
  /**
   * What it makes, uses and changes of the session's own: the name under which PREPARE keeps its inner statement, the
   * cursor that it declares, what it runs and reads by name. What those are, only the session knows.
   */
  readonly session: SessionNamesUse
  /** What its names were resolved under: with another catalog, or with other bare names, it has to be read again. */
  readonly catalogVersion: string
  readonly names: BareNames
}

type SessionNamesUse = {
  readonly [K in
    | 'prepares'
    | 'declares'
    | 'executes'
    | 'fetches'
    | 'closes'
    | 'changes'
    | 'copies']: SqlReading[K]
}

/** Reads statements, away from the event loop. */
export interface SqlReader {
  read(question: Question): Promise<SqlReading>
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
    const place = placeId(catalog, names)
    const byShape = shape === undefined ? undefined : this.#known.get(`s${place}${shape}`)
    return byShape ?? this.#known.get(`t${place}${text}`)
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
    const sql = await this.#reader.read({ text, catalog, names, session })
    const { prepares, declares, executes, fetches, closes, changes, copies, ...reading } = sql
    const made = { prepares, declares, executes, fetches, closes, changes, copies }
    const known = { reading, session: made, catalogVersion: catalog.version, names }
    const isByShape = shape !== undefined && reading.dependsOn === 'shape'
    // A text could look like another statement's shape; under different prefixes neither is taken for the other.
    this.#known.set(`${isByShape ? 's' : 't'}${placeId(catalog, names)}${isByShape ? shape : text}`, known)
    return known
  }
}

/** Under another catalog or search path the same names may mean something else. */
function placeId(catalog: Catalog, names: BareNames): string {
  return `${catalog.version}\0${names.key}\0`
}
