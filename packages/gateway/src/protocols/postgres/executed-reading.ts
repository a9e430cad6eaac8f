import { UNKNOWN_FLOW } from '../../access/data-flow.ts'
import type { StatementReading } from '../../access/model.ts'

/**
 * What a statement with SQL's EXECUTE or FETCH in it does: all of its own, and all that the statement behind the name
 * does. Where nothing is known to be behind the name, it could be anything.
 * @param what `prepared statement "p"`
 */
export function withExecuted(
  outer: StatementReading,
  what: string,
  executed: StatementReading | undefined,
): StatementReading {
  if (executed === undefined) {
    return {
      ...outer,
      facts: { ...outer.facts, reading: 'opaque' },
      opaqueBecause: outer.opaqueBecause ?? `there is no ${what}`,
      dependsOn: 'text',
    }
  }
  const { limit: _, ...facts } = outer.facts
  const limit = outer.facts.multi ? undefined : executed.facts.limit
  const because = outer.opaqueBecause ?? executed.opaqueBecause
  const isOpaque = outer.facts.reading === 'opaque' || executed.facts.reading === 'opaque'
  return {
    operations: [...outer.operations, ...executed.operations],
    facts: {
      ...facts,
      hasWhere: facts.hasWhere && executed.facts.hasWhere,
      whereIsTrivial: facts.whereIsTrivial || executed.facts.whereIsTrivial,
      functions: [...new Set([...facts.functions, ...executed.facts.functions])].toSorted(),
      ...(limit === undefined ? {} : { limit }),
      reading: isOpaque ? 'opaque' : 'complete',
    },
    ...(because === undefined ? {} : { opaqueBecause: because }),
    dependsOn: 'text',
    needs: [...outer.needs, ...executed.needs],
    flow: UNKNOWN_FLOW,
  }
}
