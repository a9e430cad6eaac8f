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

/** A pattern in the syntax of RE2 for what a class looks like in texts. */
export interface ClassPattern {
  readonly dataClass: string
  readonly pattern: string
}

/** The class of what detectors find in texts that have none: a text can hold several. */
export const DETECTED = 'detected'

/** What a mask does to any value of a kind, where that can be said without making a text of it. It gives what `apply` gives. */
export type ByteMask =
  /** Every value becomes this one, or NULL. */
  | { readonly form: 'constant'; readonly value: string | null }
  /** Some characters become `*`, where they are, and the others stay. */
  | {
      readonly form: 'stars'
      /**
       * @param bytes the value in UTF-8, from `start` to `end`
       * @returns false: nothing was changed, and `apply` has to say what becomes of this value
       */
      star(bytes: Uint8Array, start: number, end: number): boolean
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
  /** For values of a kind in text form: results of millions of rows pass here. Left out or undefined: `apply` says. */
  onBytes?(kind: ValueKind): ByteMask | undefined
  /**
   * Left out: what `apply` gives cannot be turned back. Undefined: the text is none of its tokens, and means what it says.
   */
  restore?(token: string, kind: ValueKind): string | undefined
}

/** A column of the target's catalog, as RowDescription names it. */
export interface ColumnOrigin {
  /** `pg_class.oid` and `pg_attribute.attnum`. */
  readonly relation: number
  readonly number: number
  /** As `format_type` writes it: what COPY does not say. */
  readonly type: string
}

/** A parameter that is compared with or stored into a column whose values the client knows by their tokens. */
export interface TokenParameter {
  /** `$1` is 1. */
  readonly number: number
  /** One with `restore`. */
  readonly mask: Mask
  /** Of the column, as `format_type` writes it. */
  readonly type: string
}

/** What has to be done to the answer to one statement, and to its parameters. */
export interface ResultMasks {
  /** A mask, or none, for each column of the result, in order. */
  readonly columns: readonly (Mask | undefined)[]
  /** For columns beyond those: a result wider than it was read to be is not what was decided on. Undefined: none may come. */
  readonly beyond: Mask | undefined
  /** The texts of errors and notices may quote what is masked: they are replaced, SQLSTATE and severity stay. */
  readonly hidesTexts: boolean
  /** Finds sensitive values in text columns that have no mask of their own. Undefined: none is looked for. */
  readonly detector: Mask | undefined
  /**
   * The column of the catalog whose value each column of the result is, unchanged. Left out or undefined: computed, or not
   * known. What the target itself says must agree, or the result is closed.
   */
  readonly origins?: readonly (ColumnOrigin | undefined)[]
  readonly parameters?: readonly TokenParameter[]
}

/** Columns whose values a principal may not see on a target. */
export interface HiddenColumns {
  /** By `pg_class.oid` and `pg_attribute.attnum`. */
  has(relation: number, number: number): boolean
}

/** What was masked in one result. */
export interface MaskedColumn {
  readonly column: string
  readonly dataClass: string
  readonly method: string
  /** How many values: NULL is none. */
  readonly values: number
}
