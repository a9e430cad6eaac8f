import type { RelationId } from './catalog.ts'

/** One column of one relation, resolved down to the table that stores it. */
export interface SourceColumn extends RelationId {
  readonly column: string
}

/** Where the values of a statement come from and what else they decide: what masking is computed from. */
export interface DataFlow {
  /**
   * A source list for each column of the result, in order; empty for a statement without a result. `unknown`: its width
   * or origin cannot be told, and every column of the result may hold anything in `touched`.
   */
  readonly outputs: readonly OutputColumn[] | 'unknown'
  /** Columns that decide what is visible without being shown. */
  readonly inferences: readonly Inference[]
  /**
   * Every column whose value the target looks at for this statement, views resolved: what an error message, a notice or
   * a plan of it may quote. `anything`: code that could not be read is run, so any column of the target.
   */
  readonly touched: readonly SourceColumn[] | 'anything'
  /** Columns of results that are written into columns: what is stored where (INSERT … SELECT, UPDATE … SET). */
  readonly stored: readonly {
    readonly from: readonly SourceColumn[] | 'anything'
    readonly to: SourceColumn
  }[]
  /** Parameters (`$1` is 1) that are compared with or stored in a column as they are. */
  readonly parameters: readonly { readonly number: number; readonly column: SourceColumn }[]
  /** The name of a cursor that this DECLAREs, or that a FETCH reads: its results are those of the declared query. */
  readonly declaresCursor?: string
  readonly fetchesCursor?: string
  /** The name of the prepared statement that an EXECUTE runs: its results are those of that statement. */
  readonly executesStatement?: string
}

export interface OutputColumn {
  /**
   * Of a view's column: the stored ones below it and, last, the view's own; of a partition's: its own and then its table's.
   */
  readonly sources: readonly SourceColumn[] | 'anything'
  /** The value of its sources, unchanged: it has the column's type and may be masked by that type. */
  readonly isPlain: boolean
  /** A definition as the target writes it out (`pg_get_indexdef`): text, in which only constants can tell a value. */
  readonly isDefinition?: true
}

/** How a column's value can be told from what comes back although it is not in it. */
export type InferenceKind =
  /** `= $1`, IN a list of parameters: the client knew the value, or made one guess that is counted. */
  | 'equality'
  /** The same with constants in the text: guesses can be written into one statement by the thousand. */
  | 'constant'
  /** <, >, BETWEEN. */
  | 'range'
  /** LIKE, regular expressions, text search, any function in a predicate. */
  | 'pattern'
  | 'order'
  /** GROUP BY, DISTINCT, PARTITION BY, set operations that remove doubles. */
  | 'group'
  | 'join'
  /** How many rows or which of them come back hangs on it in some other way. */
  | 'other'

export interface Inference {
  readonly column: SourceColumn
  readonly kind: InferenceKind
}

/** The flow of what could not be followed: everything may be anything. */
export const UNKNOWN_FLOW: DataFlow = {
  outputs: 'unknown',
  inferences: [],
  touched: 'anything',
  stored: [],
  parameters: [],
}

/** The flow of what touches no data. */
export const NO_FLOW: DataFlow = { outputs: [], inferences: [], touched: [], stored: [], parameters: [] }

/** The flow of what has no result, and looks at data that could not be told: an error of it may quote any. */
export const HIDDEN_FLOW: DataFlow = { ...NO_FLOW, touched: 'anything' }

/**
 * What several statements of one text do together: the flow of each follows the others'. Their results are not one
 * result, so that only those of the single one that has any are known here; each has its own in `flows`.
 */
export function combineFlows(flows: readonly DataFlow[]): DataFlow {
  const [first, ...rest] = flows
  if (first === undefined) return NO_FLOW
  if (rest.length === 0) return first
  const withResult = flows.filter(({ outputs }) => outputs === 'unknown' || outputs.length > 0)
  const isAnything = flows.some(({ touched }) => touched === 'anything')
  return {
    outputs: withResult.length > 1 ? 'unknown' : (withResult[0]?.outputs ?? []),
    inferences: flows.flatMap(({ inferences }) => inferences),
    touched: isAnything
      ? 'anything'
      : flows.flatMap(({ touched }) => (touched === 'anything' ? [] : touched)),
    stored: flows.flatMap(({ stored }) => stored),
    parameters: flows.flatMap(({ parameters }) => parameters),
  }
}
