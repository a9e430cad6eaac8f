import type { Catalog, Column, Relation } from './catalog.ts'

/** A catalog with these relations and nothing else, as a table per name or in full. */
export function catalogOf(relations: readonly Relation[], rest: Partial<Catalog> = {}): Catalog {
  return {
    version: '1',
    serverVersion: 180_004,
    schemas: ['public'],
    searchPath: ['public'],
    relations,
    functions: [],
    operators: [],
    ...rest,
  }
}

let lastOid = 16_384

/** A table of `schema.name` (or a bare name in public) with text columns of these names, unless `rest` says otherwise. */
export function tableOf(
  name: string,
  columns: readonly string[] = [],
  rest: Partial<Relation> = {},
): Relation {
  const [first = '', second] = name.split('.')
  return {
    oid: lastOid++,
    schema: second === undefined ? 'public' : first,
    name: second ?? first,
    kind: 'table',
    columns: columns.map((column, index) => columnOf(column, index + 1)),
    sequences: [],
    uses: [],
    parents: [],
    hasRules: false,
    triggers: [],
    foreignKeys: [],
    ...rest,
  }
}

export function columnOf(name: string, number: number, rest: Partial<Column> = {}): Column {
  return { name, type: 'text', nullable: true, number, ...rest }
}
