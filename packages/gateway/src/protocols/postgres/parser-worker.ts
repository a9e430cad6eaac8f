import { setFlagsFromString } from 'node:v8'
import { parentPort } from 'node:worker_threads'
import { hasSqlDetails, loadModule, parseSync } from 'libpg-query'
import { deparseSync } from 'pgsql-deparser'
import { combineReadings } from '../sql/combine-readings.ts'
import { countQuery } from '../sql/count-query.ts'
import { CatalogIndex } from '../sql/names.ts'
import { readStatements } from '../sql/read-statement.ts'
import type { SqlReading } from '../sql/reading.ts'
import { opaqueReading } from '../sql/reading.ts'
import type { CatalogDelivery, ParserAnswer, ParserQuestion } from './parser-answer.ts'

/**
 * The grammar is one huge function. V8's optimizing compiler takes 500 MB and seconds of a core for it, to save 0.05 ms
 * on each text that no cache knows: with this budget per function it never gets to that. Modules that were made before,
 * such as Cedar's, keep theirs.
 */
const NEVER_OPTIMIZE = '--wasm-tiering-budget=2000000000'

/** What a text with no statement in it does. The parser itself wants at least one character. */
const NOTHING = combineReadings([])

const catalogs = new Map<number, CatalogIndex>()

function read({ text, catalog, names }: ParserQuestion): SqlReading {
  if (text === '') return NOTHING
  const index = catalogs.get(catalog)
  if (index === undefined) throw new Error('the catalog was not delivered')
  try {
    return combineReadings(readStatements(parseSync(text), index, names))
  } catch (error) {
    // What PostgreSQL's grammar does not accept, in its own words: `syntax error at or near "FORM"`.
    if (hasSqlDetails(error)) return opaqueReading(error.message)
    throw error
  }
}

/** On one line: people are shown it. */
function written(node: unknown): string {
  return deparseSync(node as Parameters<typeof deparseSync>[0], { pretty: false })
}

/** Runs in a thread of its own: parses and reads one text at a time, and sends back only what was read. */
function answer(question: ParserQuestion): ParserAnswer {
  const { id } = question
  try {
    if (question.counts)
      return { id, count: countQuery(question.text, { parse: parseSync, deparse: written }) }
    return { id, reading: read(question) }
  } catch (error) {
    return { id, failed: error instanceof Error ? error.message : String(error) }
  }
}

function keep({ key, catalog, forget }: CatalogDelivery): void {
  if (forget !== undefined) catalogs.delete(forget)
  catalogs.set(key, new CatalogIndex(catalog, parseSync))
}

const port = parentPort
if (port === null) throw new Error('parser-worker runs as a worker thread only')
setFlagsFromString(NEVER_OPTIMIZE)
await loadModule()
port.on('message', (message: ParserQuestion | CatalogDelivery) => {
  if ('id' in message) port.postMessage(answer(message))
  else keep(message)
})
port.postMessage({ id: 0 } satisfies ParserAnswer)
