import { createHash } from 'node:crypto'
import type { Catalog, Relation } from '../../access/catalog.ts'
import { SallyportError } from '../../access/errors.ts'
import type { Query } from './credentials-connections.ts'

/**
 * A catalog is held in memory and asked about for every capability; nobody gives an agent more tables than
 * this.
 */
const MAX_RELATIONS = 100_000

/** System schemas, those of other sessions' temporary tables included: `pg_` is reserved for them. */
const SCHEMAS = `
SELECT nspname AS schema FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY nspname COLLATE "C"`

/**
 * SQL for (relation, sequence) oids: which sequences an INSERT may draw from, because a column owns them or
 * its default names them. Read once for all relations: asked for each, it takes seconds where there are
 * thousands.
 */
export const SEQUENCES = `
  SELECT d.refobjid AS relation, s.oid AS sequence
  FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  UNION
  SELECT f.adrelid, s.oid
  FROM pg_attrdef f
  JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
    AND d.refclassid = 'pg_class'::regclass
  JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'`

const RELATIONS = `
WITH relations AS MATERIALIZED (
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
  LIMIT ${MAX_RELATIONS + 1}
),
columns AS MATERIALIZED (
  SELECT a.attrelid AS relation, json_agg(json_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull,
    'number', a.attnum)
    ORDER BY a.attnum) AS list
  FROM pg_attribute a WHERE a.attrelid IN (SELECT oid FROM relations) AND a.attnum > 0 AND NOT a.attisdropped
  GROUP BY a.attrelid
),
sequences AS MATERIALIZED (
  SELECT q.relation, json_agg(json_build_object('schema', n.nspname, 'name', s.relname)
    ORDER BY n.nspname, s.relname) AS list
  FROM (${SEQUENCES}) q JOIN pg_class s ON s.oid = q.sequence JOIN pg_namespace n ON n.oid = s.relnamespace
  GROUP BY q.relation
)
SELECT r.oid, r.schema, r.name, r.kind, coalesce(c.list, '[]') AS columns, coalesce(q.list, '[]') AS sequences
FROM relations r LEFT JOIN columns c ON c.relation = r.oid LEFT JOIN sequences q ON q.relation = r.oid
ORDER BY r.schema COLLATE "C", r.name COLLATE "C"`

interface RelationRow extends Omit<Relation, 'kind'> {
  readonly oid: number
  /** `pg_class.relkind` */
  readonly kind: string
}

const KINDS: Readonly<Record<string, Relation['kind']>> = {
  r: 'table',
  v: 'view',
  m: 'materialized-view',
  p: 'partitioned-table',
  f: 'foreign-table',
}

/**
 * Reads what schemas and relations the database has, whoever may use them.
 * @param query runs one statement on the target, with `search_path` set to `pg_catalog`
 * @returns sorted by name. The version also hangs on the relations' oids: a table that was dropped and made
 *   again has lost its grants though it looks the same.
 */
export async function readCatalog(query: Query): Promise<Catalog> {
  const schemaRows = await query<{ schema: string }>(SCHEMAS)
  const rows = await query<RelationRow>(RELATIONS)
  if (rows.length > MAX_RELATIONS) {
    throw new SallyportError('TARGET_ISSUER_FAILED', `the target has more than ${MAX_RELATIONS} relations`)
  }
  const schemas = schemaRows.map(({ schema }) => schema)
  const relations = rows.map(relationOf)
  const oids = rows.map(({ oid }) => oid)
  const version = createHash('sha256')
    .update(JSON.stringify([schemas, relations, oids]))
    .digest('hex')
  return {
    version: version.slice(0, 32),
    serverVersion: 0,
    schemas,
    searchPath: ['public'],
    relations,
    functions: [],
    operators: [],
  }
}

function relationOf(row: RelationRow): Relation {
  const { oid, schema, name, columns, sequences } = row
  const kind = KINDS[row.kind]
  if (kind === undefined) {
    throw new SallyportError('TARGET_ISSUER_FAILED', `the target has a relation of kind "${row.kind}"`)
  }
  return {
    oid,
    schema,
    name,
    kind,
    columns,
    sequences,
    parents: [],
    hasRules: false,
    triggers: [],
    foreignKeys: [],
  }
}
