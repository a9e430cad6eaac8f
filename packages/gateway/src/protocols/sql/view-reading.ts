import type { Grant } from '../../access/capability.ts'
import type { RelationId } from '../../access/catalog.ts'
import type { FunctionCall, Operation } from '../../access/model.ts'
import type { Inference, SourceColumn } from '../../access/data-flow.ts'
import type { Result, Sources } from './sources.ts'

/** What the query of a view does, for every statement that reads the view. */
export interface ViewReading {
  readonly result: Result
  /** The relations that it names, and those that these lead to. */
  readonly direct: readonly RelationId[]
  readonly all: readonly RelationId[]
  readonly inferences: readonly Inference[]
  /** Columns that are looked at whichever of the view's are read: they decide which rows it has. */
  readonly always: readonly SourceColumn[]
  /** The same, unless it can be any column of the target. */
  readonly touched: Sources
  /** What whoever asks must be allowed to where the view has `security_invoker`. */
  readonly needs: readonly Grant[]
  readonly calls: readonly FunctionCall[]
  /** What these do, beside reading: operations of whoever reads the view. */
  readonly runs: readonly Operation[]
  readonly opaqueBecause?: string
}
