import type { SqlOperation, SqlReading } from './reading.ts'
import { opaqueReading } from './reading.ts'

/**
 * The statements of one simple query as one reading: it does what any of them does, and is opaque when any of them is.
 * An empty query does nothing.
 */
export function combineReadings(statements: readonly SqlReading[]): SqlReading {
  const [only] = statements
  if (only !== undefined && statements.length === 1) return only
  const names = statements.flatMap(({ prepares }) => (prepares === undefined ? [] : [prepares]))
  if (names.length > 1)
    return opaqueReading('it prepares more than one statement; prepare each by a query of its own')
  const because = statements.find(({ opaqueBecause }) => opaqueBecause !== undefined)?.opaqueBecause
  const facts = statements.map((statement) => statement.facts)
  return {
    operations: unique(statements.flatMap(({ operations }) => operations)),
    facts: {
      hasWhere: facts.every(({ hasWhere }) => hasWhere),
      whereIsTrivial: facts.some(({ whereIsTrivial }) => whereIsTrivial),
      functions: [...new Set(facts.flatMap(({ functions }) => functions))].toSorted(),
      multi: statements.length > 1,
      locksRows: facts.some(({ locksRows }) => locksRows),
      readOnly: facts.every(({ readOnly }) => readOnly),
      reading: because === undefined ? 'complete' : 'opaque',
    },
    ...(because === undefined ? {} : { opaqueBecause: because }),
    dependsOn: statements.some(({ dependsOn }) => dependsOn === 'text') ? 'text' : 'shape',
    ...(names[0] === undefined ? {} : { prepares: names[0] }),
    executes: [...new Set(statements.flatMap(({ executes }) => executes))],
    trivialIfNotNull: statements.flatMap(({ trivialIfNotNull }) => trivialIfNotNull),
  }
}

function unique(operations: readonly SqlOperation[]): readonly SqlOperation[] {
  return [...new Map(operations.map((operation) => [JSON.stringify(operation), operation])).values()]
}
