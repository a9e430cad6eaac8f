import { combineFlows, type DataFlow, UNKNOWN_FLOW } from '../../access/data-flow.ts'
import type { StatementReading } from '../../access/model.ts'

/**
 * What a statement with SQL's EXECUTE or FETCH in it does: all of its own, and all that the statement behind the name
 * does. Where nothing is known to be behind the name, it could be anything.
 */
export function withExecuted(
  outer: StatementReading,
  kind: 'prepared statement' | 'cursor',
  name: string,
  executed: StatementReading | undefined,
): StatementReading {
  if (executed === undefined) {
    return {
      ...outer,
      facts: { ...outer.facts, reading: 'opaque' },
      opaqueBecause: outer.opaqueBecause ?? notThere(kind, name),
      dependsOn: 'text',
    }
  }
  const { limit: _, ...facts } = outer.facts
  const limit = outer.facts.multi ? undefined : executed.facts.limit
  const because = outer.opaqueBecause ?? executed.opaqueBecause
  const isOpaque = outer.facts.reading === 'opaque' || executed.facts.reading === 'opaque'
  const calls = [...(outer.calls ?? []), ...(executed.calls ?? [])]
  const flows = outer.flows?.map((flow) => ofWhatRuns(flow, name, executed))
  return {
    operations: [...outer.operations, ...executed.operations],
    facts: {
      ...facts,
      hasWhere: facts.hasWhere && executed.facts.hasWhere,
      whereIsTrivial: facts.whereIsTrivial || executed.facts.whereIsTrivial,
      functions: [...new Set([...facts.functions, ...executed.facts.functions])].toSorted(),
      locksRows: facts.locksRows || executed.facts.locksRows,
      readOnly: facts.readOnly && executed.facts.readOnly,
      ...(limit === undefined ? {} : { limit }),
      reading: isOpaque ? 'opaque' : 'complete',
    },
    ...(because === undefined ? {} : { opaqueBecause: because }),
    dependsOn: 'text',
    needs: [...outer.needs, ...executed.needs],
    flow: flows === undefined ? ofWhatRuns(outer.flow, name, executed) : combineFlows(flows),
    ...(flows === undefined ? {} : { flows }),
    ...(calls.length === 0 ? {} : { calls }),
  }
}

/**
 * The flow of an EXECUTE or FETCH of that name is the one of what it runs. Whatever else has such a statement within it
 * (EXPLAIN, CREATE TABLE AS) shows or stores something of it that was not followed.
 */
function ofWhatRuns(flow: DataFlow, name: string, { flow: inner, flows }: StatementReading): DataFlow {
  if (flow.executesStatement !== name && flow.fetchesCursor !== name) return flow
  // Of a text with several statements it is not known here which one was named.
  if (flows !== undefined && flows.length > 1)
    return { ...UNKNOWN_FLOW, inferences: inner.inferences, stored: inner.stored }
  const { declaresCursor: _, ...rest } = inner
  // Its parameters are values here, or another statement's.
  return { ...rest, parameters: [] }
}

function notThere(kind: 'prepared statement' | 'cursor', name: string): string {
  const what = `there is no ${kind} "${name}"`
  return kind === 'cursor' ? `${what} that this session has declared` : what
}
