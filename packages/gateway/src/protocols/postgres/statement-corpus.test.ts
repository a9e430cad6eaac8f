import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { Catalog } from '../../access/catalog.ts'
import { catalogOf, columnOf, tableOf } from '../../access/catalog.fixture.ts'
import type { StatementReading } from '../../access/model.ts'
import type { SqlReading } from '../sql/reading.ts'
import { type Question, StatementReader } from './parser.ts'
import { SessionNames } from './session-names.ts'

const CORPUS = new URL('../../../../../../shared/corpus/', import.meta.url)
const GUARD = new URL('guard_evasion.json', CORPUS)
const REGRESS = new URL('pg_regress/', CORPUS)

const reader = new StatementReader({ threads: 1, deadlineMs: 20_000 })
afterAll(() => reader.close())

interface Expected {
  readonly actions: readonly string[]
  readonly tables_written: readonly string[]
  readonly tables_read: readonly string[]
  readonly risk: string
  readonly functions?: readonly string[]
  readonly hasWhere?: boolean
  readonly whereIsTautology?: boolean
  readonly hasLimit?: boolean
  readonly limit?: number
}

interface Case {
  readonly id: string
  readonly dialect: string
  readonly sql: string
  readonly setup?: readonly string[]
  readonly expected: Expected
}

/** The tables of the corpus, whose ids cannot be null. */
const TABLES: Catalog = catalogOf(
  ['customers', 'orders', 'employees'].map((name) =>
    tableOf(name, [], { columns: [columnOf('id', 1, { type: 'integer', nullable: false })] }),
  ),
)

const NAMES = new SessionNames(TABLES.searchPath).current(TABLES.searchPath)

function ask(text: string, session: string): Question {
  return { text, catalog: TABLES, names: NAMES, session }
}

/** What the reading of a case does not show, though the case says so. */
function missing(
  expected: Expected,
  reading: StatementReading,
  ran: readonly StatementReading[],
): readonly string[] {
  const { facts } = reading
  const operations = [reading, ...ran].flatMap((one) => one.operations)
  const isOpaque = [reading, ...ran].some((one) => one.facts.reading === 'opaque')
  if (expected.risk === 'low') {
    const harmless = operations.every(({ action, resource }) => {
      if (action === 'connect' || action === 'select') return true
      // EXPLAIN needs the privileges of what it explains, and policy is asked for them.
      return expected.actions.includes('explain') && resource.type === 'Table'
    })
    return !isOpaque && harmless ? [] : [`it is harmless, but reads as ${JSON.stringify(reading)}`]
  }
  if (isOpaque) return []
  const faults: string[] = []
  const on = (actions: RegExp, table: string) =>
    operations.some(
      ({ action, resource }) =>
        actions.test(action) &&
        (resource.type === 'Table' ? resource.table === table || table === '*' : resource.type !== 'Target'),
    )
  for (const table of expected.tables_written) {
    if (!on(/^(?!connect|select|copyOut|listen|notify)/, table)) faults.push(`writes ${table}`)
  }
  for (const table of expected.tables_read) {
    if (!on(/^(select|update|delete|merge|truncate|maintain|call)$/, table)) faults.push(`reads ${table}`)
  }
  for (const action of ['insert', 'update', 'delete', 'merge', 'truncate', 'alter', 'drop', 'call', 'lock']) {
    if (expected.actions.includes(action) && !on(new RegExp(`^${action}$`), '*')) faults.push(action)
  }
  if (expected.functions && !on(/^(call|set|notify)$/, '*')) faults.push(`calls ${expected.functions.join()}`)
  if (expected.hasWhere !== undefined && expected.hasWhere !== facts.hasWhere) faults.push('hasWhere')
  if (expected.whereIsTautology === true && !facts.whereIsTrivial) faults.push('whereIsTrivial')
  if (expected.hasLimit !== undefined && expected.hasLimit !== (facts.limit !== undefined))
    faults.push('hasLimit')
  if (expected.limit !== undefined && expected.limit !== facts.limit) faults.push('limit')
  return faults
}

describe.skipIf(!existsSync(GUARD))('statements that hide what they do', () => {
  it('are seen through', async () => {
    const corpus: { readonly cases: readonly Case[] } = JSON.parse(readFileSync(GUARD, 'utf8'))
    const ours = corpus.cases.filter(({ dialect }) => dialect === 'postgresql')
    const failed: string[] = []
    for (const { id, sql, setup, expected } of ours) {
      const prepared = new Map<string, SqlReading>()
      for (const text of setup ?? []) {
        const before = await reader.read(ask(text, id))
        if (before.prepares !== undefined) prepared.set(before.prepares, before)
      }
      const reading = await reader.read(ask(sql, id))
      const ran = reading.executes.flatMap((name) => {
        const found = prepared.get(name)
        return found ? [found] : []
      })
      const faults = missing(expected, reading, ran)
      if (faults.length > 0) failed.push(`${id} ${sql.slice(0, 80)}: ${faults.join('; ')}`)
    }
    console.log(`guard_evasion: ${ours.length - failed.length} of ${ours.length} as expected`)
    expect(failed).toEqual([])
  })
})

describe.skipIf(!existsSync(REGRESS))("PostgreSQL's own regression tests", () => {
  it('are read, statement by statement, without a failure of the parser or the analysis', async () => {
    const files = readdirSync(REGRESS).filter((name) => name.endsWith('.sql'))
    let statements = 0
    const failures: string[] = []
    for (const name of files) {
      const sql = readFileSync(new URL(name, REGRESS), 'utf8').replaceAll(/^\\.*$/gm, '')
      // Not a lexer: pieces that are cut wrongly are only more syntax errors.
      const pieces = sql.split(/;[ \t]*(?:--.*)?\n/).filter((piece) => piece.trim() !== '')
      const readings = await Promise.all(
        chunked(pieces, 100).map((chunk, n) =>
          Promise.all(chunk.map((piece) => reader.read(ask(piece, `${name} ${n}`)))),
        ),
      )
      for (const [n, reading] of readings.flat().entries()) {
        statements++
        const because = reading.opaqueBecause ?? ''
        const failed =
          /nested too deeply|could not be read within|ran out of memory|gateway does not know|statements wait/.test(
            because,
          )
        if (failed) failures.push(`${name}: ${because}: ${pieces[n]?.trim().slice(0, 100)}`)
      }
    }
    console.log(`pg_regress: ${statements} statements of ${files.length} files`)
    expect(failures).toEqual([])
    expect(statements).toBeGreaterThan(10_000)
  }, 120_000)
})

function chunked<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) =>
    items.slice(n * size, (n + 1) * size),
  )
}
