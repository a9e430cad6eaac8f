import type { Catalog } from '../../access/catalog.ts'
import type { CountQuery } from '../sql/count-query.ts'
import type { SqlReading } from '../sql/reading.ts'
import type { BareNames } from '../sql/search-path.ts'

/** To a parser thread: keep this catalog under a key, and forget another one. */
export interface CatalogDelivery {
  readonly key: number
  readonly catalog: Catalog
  readonly forget?: number
}

/** To a parser thread: read this. */
export interface ParserQuestion {
  readonly id: number
  readonly text: string
  /** The key of a catalog that was delivered before. */
  readonly catalog: number
  readonly names: BareNames
  /** What is wanted is not what it does, but the query that counts the rows that it would touch. */
  readonly counts?: true
}

/** From a parser thread, one per question; the first one, with id 0, says that it is ready. */
export interface ParserAnswer {
  readonly id: number
  readonly reading?: SqlReading
  readonly count?: CountQuery
  /** The parser itself failed (its stack, its memory): the thread must not be used again. */
  readonly failed?: string
}
