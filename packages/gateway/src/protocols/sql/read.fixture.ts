import { parseSync } from 'libpg-query'
import type { Catalog } from '../../access/catalog.ts'
import { catalogOf } from '../../access/catalog.fixture.ts'
import { combineReadings } from './combine-readings.ts'
import { CatalogIndex } from './names.ts'
import { readStatements } from './read-statement.ts'
import type { SqlReading } from './reading.ts'
import { type BareNames, usualNames } from './search-path.ts'

/** Reads a text in this very thread, once `loadModule` has been waited for. */
export function readSql(sql: string, catalog: Catalog = catalogOf([]), names?: BareNames): SqlReading {
  const index = new CatalogIndex(catalog, parseSync)
  return combineReadings(readStatements(parseSync(sql), index, names ?? usualNames(catalog.searchPath)))
}
