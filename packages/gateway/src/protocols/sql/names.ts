import type { Catalog, ForeignKey, Relation, RelationId, Routine } from '../../access/catalog.ts'
import type { SourceColumn } from '../../access/data-flow.ts'
import type { RelationName } from './reading.ts'
import type { SearchPath } from './search-path.ts'
import type { ViewReading } from './view-reading.ts'

/** PostgreSQL's parser: throws for what is not in its grammar. */
export type ParseSql = (sql: string) => unknown

/** A catalog, ready to be asked by name. Made once per catalog: statements are many. */
export class CatalogIndex {
  readonly catalog: Catalog
  readonly parse: ParseSql
  /** What was made of the definitions of views, and of the columns of relations, for all statements under this catalog. */
  readonly views = new Map<Relation, ViewReading | 'being read'>()
  readonly stored = new Map<Relation, readonly StoredColumn[]>()
  readonly #sources = new Map<string, SourceColumn>()
  readonly #relations = new Map<string, Relation>()
  readonly #routines = new Map<string, Routine[]>()
  readonly #children = new Map<string, Relation[]>()
  readonly #referrers = new Map<string, Relation[]>()
  readonly #operators: ReadonlySet<string>
  /** PostgreSQL's own relations are listed, so that a name that is not among them is none of theirs. */
  readonly knowsSystem: boolean

  constructor(catalog: Catalog, parse: ParseSql) {
    this.catalog = catalog
    this.parse = parse
    let knowsSystem = false
    for (const relation of catalog.relations) {
      this.#relations.set(idOf(relation), relation)
      if (relation.schema === 'pg_catalog') knowsSystem = true
      const referred = new Set(relation.foreignKeys.map(({ references }) => idOf(references)))
      for (const id of referred) add(this.#referrers, id, relation)
      for (const parent of relation.parents) add(this.#children, idOf(parent), relation)
    }
    for (const routine of catalog.functions) add(this.#routines, routine.name, routine)
    this.#operators = new Set(catalog.operators.map(idOf))
    this.knowsSystem = knowsSystem
  }

  relation(schema: string, name: string): Relation | undefined {
    return this.#relations.get(idOf({ schema, name }))
  }

  /** Relations that inherit from this one or are its partitions. */
  childrenOf(relation: RelationId): readonly Relation[] {
    return this.#children.get(idOf(relation)) ?? []
  }

  /** Relations with a foreign key to this one. */
  referrersOf(relation: RelationId): readonly Relation[] {
    return this.#referrers.get(idOf(relation)) ?? []
  }

  /** Foreign keys that refer to this relation. */
  keysTo(relation: RelationId): readonly Referring[] {
    return this.referrersOf(relation).flatMap((from) =>
      from.foreignKeys
        .filter(({ references }) => idOf(references) === idOf(relation))
        .map((key) => ({ from, key })),
    )
  }

  /**
   * A column as a source of values: one object for each, so that sets of them can be put together.
   * @param relation one of the catalog's, and `column` one of its columns: what is kept here is kept for good
   */
  source({ schema, name }: RelationId, column: string): SourceColumn {
    const key = `${schema}\0${name}\0${column}`
    let source = this.#sources.get(key)
    if (source === undefined) {
      source = { schema, name, column }
      this.#sources.set(key, source)
    }
    return source
  }

  /** Users' functions of this name, in any schema. */
  routines(name: string): readonly Routine[] {
    return this.#routines.get(name) ?? []
  }

  /** Whether users have made an operator of this name in this schema. */
  hasOwnOperator(name: string, schema: string): boolean {
    return this.#operators.has(idOf({ schema, name }))
  }
}

export interface Referring {
  readonly from: Relation
  readonly key: ForeignKey
}

/** A column of a relation that is no view, and the columns whose values are in it. */
export interface StoredColumn {
  readonly name: string
  readonly sources: ReadonlySet<SourceColumn> | 'anything'
}

function add<T>(to: Map<string, T[]>, key: string, value: T): void {
  const values = to.get(key)
  if (values === undefined) to.set(key, [value])
  else values.push(value)
}

function idOf({ schema, name }: RelationId): string {
  return `${schema}\0${name}`
}

/** How the names of one statement are understood: under each of the search paths that may be in force. */
export class Names {
  readonly index: CatalogIndex
  readonly #paths: readonly SearchPath[]
  readonly #temporary: readonly string[]

  /** @param paths at least one */
  constructor(index: CatalogIndex, paths: readonly SearchPath[], temporary: readonly string[] = []) {
    this.index = index
    this.#paths = paths
    this.#temporary = temporary
  }

  /** The same names where only these schemas are searched. */
  under(path: SearchPath): Names {
    return new Names(this.index, [path])
  }

  /**
   * The relations that a name may mean, at least one: pg_catalog is searched first unless the path puts it elsewhere, and
   * temporary relations before that (config, "search_path"). A name that is nowhere stands for a relation in each schema
   * of the path: policy is then asked about what does not exist, and the target says so.
   */
  relations({ schema, name }: RelationName): readonly RelationId[] {
    if (schema !== undefined) return [{ schema, name }]
    const found = new Set(this.#paths.flatMap((path) => this.#schemasUnder(path, name)))
    if (this.#temporary.includes(name)) found.add('pg_temp')
    // Under a path on which there is no such relation the target would refuse the statement.
    if (found.size === 0) for (const candidate of this.#paths.flat()) found.add(candidate)
    if (found.size === 0) found.add('pg_catalog')
    return [...found].map((candidate) => ({ schema: candidate, name }))
  }

  #schemasUnder(path: SearchPath, name: string): readonly string[] {
    const searched = path.includes('pg_catalog') ? path : ['pg_catalog', ...path]
    const first = searched.find((schema) => this.index.relation(schema, name) !== undefined)
    // The catalog of a target need not list PostgreSQL's own relations, and all of those in pg_catalog are called pg_….
    const isMaybeSystem = !this.index.knowsSystem && name.startsWith('pg_')
    if (first !== undefined) return isMaybeSystem ? ['pg_catalog', first] : [first]
    return isMaybeSystem ? ['pg_catalog'] : []
  }

  /** Every schema in which a bare name may be looked for, PostgreSQL's own left out. */
  searched(): readonly string[] {
    return [...new Set(this.#paths.flat())].filter((schema) => schema !== 'pg_catalog')
  }

  /** Whether a bare name may be that of a temporary relation. */
  isTemporary(name: string): boolean {
    return this.#temporary.includes(name)
  }

  /** Some temporary relation may be there. */
  get hasTemporary(): boolean {
    return this.#temporary.length > 0
  }

  /** The schemas in which a relation that is named without one would be made: the first of each path that exists. */
  schemasForNew(): readonly string[] {
    const { schemas } = this.index.catalog
    return [
      ...new Set(
        this.#paths.map(
          (path) => path.find((one) => one === 'pg_temp' || schemas.includes(one)) ?? path[0] ?? 'public',
        ),
      ),
    ]
  }
}
