/** What there is on a target, as far as policy, credentials and masking need to know it. Plain data: it is sent to threads. */
export interface Catalog {
  /** Differs whenever anything below does. */
  readonly version: string
  /** As PostgreSQL counts: 180004. */
  readonly serverVersion: number
  readonly schemas: readonly string[]
  /**
   * The schemas in which a session that has set nothing looks for bare names, in order; "$user" stands for nothing. pg_catalog
   * comes first, unless the list says where (PostgreSQL, "The Schema Search Path").
   */
  readonly searchPath: readonly string[]
  /** Those of users, and those of PostgreSQL's own schemas (`isSystemSchema`). */
  readonly relations: readonly Relation[]
  /** Functions, procedures and aggregates outside of PostgreSQL's own schemas. */
  readonly functions: readonly Routine[]
  /**
   * Operators outside of PostgreSQL's own schemas, by schema and name: what they run can be anything. Left out are those
   * whose functions are immutable and in C, as extensions bring them: only a superuser can install one, and by its own
   * word it looks at nothing but its operands.
   */
  readonly operators: readonly { readonly schema: string; readonly name: string }[]
}

export interface RelationId {
  readonly schema: string
  readonly name: string
}

export interface Relation extends RelationId {
  /** `pg_class.oid`, as RowDescription says it. */
  readonly oid: number
  readonly kind: 'table' | 'view' | 'materialized-view' | 'partitioned-table' | 'foreign-table'
  readonly columns: readonly Column[]
  /** Sequences that an INSERT needs USAGE on: those owned by its columns. */
  readonly sequences: readonly RelationId[]
  /**
   * The query of a view or materialized view, as `pg_get_viewdef` gives it, every name qualified. Left out when the target
   * would not say, because somebody was changing it: such a view cannot be looked through.
   */
  readonly definition?: string
  /** What a view's query reads: the relations of users one step below it, and the columns of them that it names. */
  readonly uses: readonly RelationUse[]
  /** A view whose base tables are read with the rights of whoever asks (`security_invoker`). */
  readonly invokerRights?: true
  /** What it inherits from or is a partition of: whoever reads that reads this. */
  readonly parents: readonly RelationId[]
  /** Writing to it runs a rewrite rule, which can do anything. */
  readonly hasRules: boolean
  readonly triggers: readonly Trigger[]
  readonly foreignKeys: readonly ForeignKey[]
}

export interface RelationUse extends RelationId {
  readonly columns: readonly string[]
}

export interface Column {
  readonly name: string
  /** As `format_type` writes it. */
  readonly type: string
  readonly nullable: boolean
  /** `pg_attribute.attnum`, as RowDescription says it. */
  readonly number: number
  /** The expression of a generated column, or a text that is none (`?`) when the target would not say. */
  readonly generatedFrom?: string
}

export interface Trigger {
  readonly name: string
  readonly on: readonly ('insert' | 'update' | 'delete' | 'truncate')[]
  readonly function: RelationId
}

export interface ForeignKey {
  readonly name: string
  readonly columns: readonly string[]
  readonly references: RelationId
  readonly onDelete: ReferentialAction
  readonly onUpdate: ReferentialAction
}

/** `changes`: CASCADE, SET NULL or SET DEFAULT: rows of the referencing table are deleted or updated. */
export type ReferentialAction = 'refuses' | 'cascades' | 'changes'

export interface Routine extends RelationId {
  readonly kind: 'function' | 'procedure' | 'aggregate' | 'window'
  /** Types of its arguments, as `pg_get_function_identity_arguments` writes them. */
  readonly arguments: string
  readonly volatility: 'immutable' | 'stable' | 'volatile'
  readonly returnsSet: boolean
  readonly securityDefiner: boolean
  readonly language: string
}

/** `pg_` is reserved for PostgreSQL's own schemas (PostgreSQL, "Schemas"). */
export function isSystemSchema(schema: string): boolean {
  return schema.startsWith('pg_') || schema === 'information_schema'
}
