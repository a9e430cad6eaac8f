import type { DataFlow, SourceColumn } from '../../access/data-flow.ts'
import type { RelationId } from '../../access/catalog.ts'
import { nodeOf, text } from './tree.ts'

/** Stands for a column whose name is only known when the statement has run. */
const UNNAMED = '?'

/**
 * The flow of a statement that makes relations out of the result of a query (CREATE TABLE AS, SELECT INTO, CREATE VIEW):
 * it has no result of its own, and whatever the query's columns hold is in the new ones.
 * @param names of the new columns, as far as the statement gives them
 */
export function storedIn(made: readonly RelationId[], names: readonly unknown[], query: DataFlow): DataFlow {
  const from: readonly (readonly SourceColumn[] | 'anything')[] =
    query.outputs === 'unknown' ? ['anything'] : query.outputs.map(({ sources }) => sources)
  const stored = made.flatMap(({ schema, name }) =>
    from.map((sources, n) => ({
      from: sources,
      to: { schema, name, column: text(nodeOf(names[n], 'String')?.['sval']) ?? UNNAMED },
    })),
  )
  const { executesStatement: _, ...rest } = query
  return { ...rest, outputs: [], stored: [...query.stored, ...stored] }
}
