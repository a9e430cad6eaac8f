/** What kind of value a column holds, for a mask that keeps its type. */
export type ValueKind =
  | 'text'
  | 'integer'
  | 'numeric'
  | 'float'
  | 'boolean'
  | 'date'
  | 'timestamp'
  | 'time'
  | 'uuid'
  | 'inet'
  | 'json'
  | 'bytea'
  /** Anything else: only NULL or an empty value of its own kind can stand in for it. */
  | 'other'

/** How the values of one data class are masked, as its resource says it. */
export type MaskSpec =
  /** A constant of the value's type. */
  | { readonly method: 'redact' }
  /** `last4`: the last four letters or digits; `domain`: that of an e-mail; `initials`: the first letter of each word. */
  | { readonly method: 'partial'; readonly keep: 'last4' | 'domain' | 'initials' }
  /** A keyed digest: equal values stay equal, nobody can turn it back. */
  | { readonly method: 'hash' }
  /** A pseudonym of the same format: equal values stay equal, the gateway alone can turn it back. */
  | { readonly method: 'token' }
  | { readonly method: 'null' }
  /** Dates and timestamps to the first day of their year or month. */
  | { readonly method: 'truncate'; readonly to: 'year' | 'month' }
  /** Numbers, towards zero, to a multiple of `size`. */
  | { readonly method: 'bucket'; readonly size: number }

/** A kind of sensitive data by its name, and how it is masked. */
export interface MaskedClass {
  readonly name: string
  readonly mask: MaskSpec
}

/** Puts something else in place of a value of one data class. Pure; must not throw: what it throws ends the session. */
export interface Mask {
  /** Of the data class, for the list of what was masked and why. */
  readonly dataClass: string
  readonly method: string
  /**
   * @param value in PostgreSQL's text form; never NULL
   * @returns a text that is a valid value of the same kind, or null for NULL
   */
  apply(value: string, kind: ValueKind): string | null
}

/** What has to be done to the answer to one statement. Missing in a verdict: nothing. */
export interface ResultMasks {
  /** A mask, or none, for each column of the result, in order. */
  readonly columns: readonly (Mask | undefined)[]
  /** For columns beyond those: a result wider than it was read to be is not what was decided on. Undefined: none may come. */
  readonly beyond: Mask | undefined
  /** The texts of errors and notices may quote what is masked: they are replaced, SQLSTATE and severity stay. */
  readonly hidesTexts: boolean
  /** Finds sensitive values in text columns that have no mask of their own. Undefined: none is looked for. */
  readonly detector: Mask | undefined
}
