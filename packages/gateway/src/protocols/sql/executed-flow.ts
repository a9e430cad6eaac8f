import type { DataFlow } from '../../access/data-flow.ts'

/** What a name stands for that SQL itself makes: by PREPARE, or by DECLARE. */
export type ExecutedName = { readonly kind: 'statement' | 'cursor'; readonly name: string }

/**
 * The flow of a statement that runs another one by its name (EXECUTE, FETCH): that of the other one. Its result is the
 * other's unless it has one of its own, as `EXPLAIN EXECUTE` has.
 */
export function executedFlow(outer: DataFlow, { kind, name }: ExecutedName, executed: DataFlow): DataFlow {
  if ((kind === 'statement' ? outer.executesStatement : outer.fetchesCursor) !== name) return outer
  const { declaresCursor: _, ...inner } = executed
  return {
    ...inner,
    outputs: outer.outputs === 'unknown' ? executed.outputs : outer.outputs,
    stored: [...outer.stored, ...executed.stored],
    // Its parameters are those that EXECUTE gives, and not the client's.
    parameters: [],
    ...(outer.declaresCursor === undefined ? {} : { declaresCursor: outer.declaresCursor }),
    ...(kind === 'statement' ? { executesStatement: name } : { fetchesCursor: name }),
  }
}
