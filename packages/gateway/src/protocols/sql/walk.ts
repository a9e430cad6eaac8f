import type { Relation } from '../../access/catalog.ts'
import type { Budget } from './budget.ts'
import type { FlowBuilder } from './flow-builder.ts'
import type { ReadingBuilder } from './reading.ts'
import type { RelationUses } from './relation-uses.ts'
import type { Scope } from './scope.ts'
import type { Result, Sources, Value } from './sources.ts'
import type { Fields } from './tree.ts'
import type { ViewReading } from './view-reading.ts'

/** What the parts of the walk over one statement's tree need of each other. */
export interface Walk {
  readonly reading: ReadingBuilder
  readonly flow: FlowBuilder
  readonly uses: RelationUses
  readonly budget: Budget
  /** The value of a tagged node; of none, a clean one. */
  expression(node: unknown, scope: Scope): Value
  /** A condition: what comes back hangs on it. Gives the columns that it hangs on. */
  predicate(node: unknown, scope: Scope): Sources
  /** A SELECT or VALUES, or a statement with RETURNING. */
  query(tag: string, fields: Fields, scope: Scope): Result
  view(relation: Relation): ViewReading | undefined
}
