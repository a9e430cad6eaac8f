/** What there is on a target, as far as policy and credentials need to know it. */
export interface Catalog {
  /** Differs whenever anything below does. */
  readonly version: string
  readonly schemas: readonly string[]
  readonly relations: readonly Relation[]
}

export interface Relation {
  readonly schema: string
  readonly name: string
  readonly kind: 'table' | 'view' | 'materialized-view' | 'partitioned-table' | 'foreign-table'
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[]
  /** Sequences that an INSERT needs USAGE on: those owned by its columns. */
  readonly sequences: readonly { readonly schema: string; readonly name: string }[]
}
