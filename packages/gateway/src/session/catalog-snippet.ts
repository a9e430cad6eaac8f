import type { Catalog, Relation } from '../access/catalog.ts'

/** Ordinary relations begin here (PostgreSQL, FirstNormalObjectId). */
const FIRST_OID = 16_384

/** A catalog with just these tables, as tests of policies write them: `schema.table` → columns and their types. */
export function catalogSnippet(tables: Readonly<Record<string, Readonly<Record<string, string>>>>): Catalog {
  const relations = Object.entries(tables).map(([id, columns], i): Relation => {
    const dot = id.indexOf('.')
    return {
      schema: id.slice(0, dot),
      name: id.slice(dot + 1),
      oid: FIRST_OID + i,
      kind: 'table',
      columns: Object.entries(columns).map(([name, type], n) => ({
        name,
        type,
        nullable: true,
        number: n + 1,
      })),
      sequences: [],
      uses: [],
      parents: [],
      hasRules: false,
      triggers: [],
      foreignKeys: [],
    }
  })
  const schemas = [...new Set(['public', ...relations.map(({ schema }) => schema)])].toSorted()
  return {
    version: JSON.stringify(tables),
    serverVersion: 180_000,
    schemas,
    searchPath: ['public'],
    relations,
    functions: [],
    operators: [],
  }
}
