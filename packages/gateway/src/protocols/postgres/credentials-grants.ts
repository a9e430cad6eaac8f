import type { Capability } from '../../access/capability.ts'
import { SEQUENCES } from './catalog-queries.ts'
import { identifier } from './credentials-names.ts'
import type { Query } from './credentials-connections.ts'

/** MAINTAIN came with PostgreSQL 17. */
const HAS_MAINTAIN = 170_000

/** The sequences of all tables have to be looked through for it: left out where nothing is inserted. */
const DRAWN_FROM = `UNION
  SELECT 'pg_class'::regclass::oid, s.oid, 0, 'USAGE'
  FROM asked a JOIN (${SEQUENCES}) q ON q.relation = a.oid JOIN pg_class s ON s.oid = q.sequence
  WHERE a.privilege = 'INSERT' AND s.relowner <> (SELECT oid FROM me)`

/**
 * Every privilege that the role should have or does have, in this database: `wanted`, `held`, and whether
 * this account may pass it on. $1: the role's name, $2: [{schema, table, verb, columns}], $3: schemas to create in.
 * `number` is a column's, 0 for the whole object. What no longer exists is left out; what the role owns too: an owner's
 * privileges are not grants.
 */
const privileges = (insertsToo: boolean): string => `
WITH me AS (SELECT oid FROM pg_roles WHERE rolname = $1),
asked AS MATERIALIZED (
  SELECT DISTINCT c.oid, coalesce(a.attnum, 0)::int AS number, upper(g.verb) AS privilege, n.oid AS namespace
  FROM jsonb_to_recordset($2::jsonb) AS g(schema text, "table" text, verb text, columns text[])
  JOIN pg_namespace n ON n.nspname = g.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = g."table" AND c.relkind IN ('r','v','m','p','f')
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY(g.columns) AND NOT a.attisdropped
  WHERE c.relowner <> (SELECT oid FROM me) AND (g.columns IS NULL OR a.attnum IS NOT NULL)
),
wanted(class, object, number, privilege) AS MATERIALIZED (
  SELECT 'pg_class'::regclass::oid, oid, number, privilege FROM asked
  UNION
  SELECT 'pg_namespace'::regclass::oid, namespace, 0, 'USAGE' FROM asked
  UNION
  SELECT 'pg_namespace'::regclass::oid, n.oid, 0, p
  FROM pg_namespace n, unnest(ARRAY['USAGE', 'CREATE']) AS p WHERE n.nspname = ANY($3::text[])
  ${insertsToo ? DRAWN_FROM : ''}
),
mentioned AS MATERIALIZED (
  SELECT d.classid, d.objid, d.objsubid FROM pg_shdepend d
  WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT oid FROM me) AND d.deptype = 'a'
    AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
),
held(class, object, number, privilege) AS MATERIALIZED (
  SELECT DISTINCT 'pg_class'::regclass::oid, c.oid, 0, a.privilege_type
  FROM mentioned m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objsubid = 0 AND c.oid = m.objid,
    aclexplode(c.relacl) a
  WHERE a.grantee = (SELECT oid FROM me) AND c.relowner <> a.grantee
  UNION
  SELECT DISTINCT 'pg_class'::regclass::oid, c.oid, t.attnum::int, a.privilege_type
  FROM mentioned m
  JOIN pg_attribute t ON m.classid = 'pg_class'::regclass AND m.objsubid <> 0 AND t.attrelid = m.objid
    AND t.attnum = m.objsubid
  JOIN pg_class c ON c.oid = t.attrelid,
    aclexplode(t.attacl) a
  WHERE a.grantee = (SELECT oid FROM me) AND c.relowner <> a.grantee
  UNION
  SELECT DISTINCT 'pg_namespace'::regclass::oid, n.oid, 0, a.privilege_type
  FROM mentioned m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid,
    aclexplode(n.nspacl) a
  WHERE a.grantee = (SELECT oid FROM me) AND n.nspowner <> a.grantee
)
SELECT privilege, w.object IS NOT NULL AS wanted, h.object IS NOT NULL AS held,
  coalesce(n.nspname, cn.nspname) AS schema, c.relname AS relation, t.attname AS "column",
  CASE WHEN c.oid IS NULL THEN 'SCHEMA' WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
  CASE
    WHEN c.oid IS NULL THEN has_schema_privilege(n.oid, privilege || ' WITH GRANT OPTION')
    WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, privilege || ' WITH GRANT OPTION')
    WHEN number <> 0 THEN has_column_privilege(c.oid, number::int2, privilege || ' WITH GRANT OPTION')
    ELSE has_table_privilege(c.oid, privilege || ' WITH GRANT OPTION')
  END AS grantable
FROM wanted w FULL JOIN held h USING (class, object, number, privilege)
LEFT JOIN pg_class c ON class = 'pg_class'::regclass AND c.oid = object
LEFT JOIN pg_attribute t ON class = 'pg_class'::regclass AND t.attrelid = object AND t.attnum = number AND number <> 0
LEFT JOIN pg_namespace cn ON cn.oid = c.relnamespace
LEFT JOIN pg_namespace n ON class = 'pg_namespace'::regclass AND n.oid = object
ORDER BY kind, schema, relation, privilege, "column"`

export interface Privilege {
  readonly kind: 'TABLE' | 'SEQUENCE' | 'SCHEMA'
  readonly schema: string
  /** Undefined for a schema's own. */
  readonly relation: string | undefined
  /** Undefined for the whole object. */
  readonly column: string | undefined
  /** PostgreSQL's word: `SELECT`, `USAGE`. */
  readonly privilege: string
}

interface PrivilegeRow {
  readonly kind: Privilege['kind']
  readonly schema: string
  readonly relation: string | null
  readonly column: string | null
  readonly privilege: string
  readonly wanted: boolean
  readonly held: boolean
  /** Null when the object has just been dropped. */
  readonly grantable: boolean | null
}

export interface GrantDifference {
  readonly missing: readonly Privilege[]
  /** Not wanted, and this account's to take away, unless another grantor gave it. */
  readonly excess: readonly Privilege[]
  /** Not wanted, and not this account's to take away. */
  readonly irrevocable: readonly Privilege[]
  /** Wanted, but not this account's to give. */
  readonly ungrantable: readonly Privilege[]
}

/** Compares what a role has been granted with what its capability says. */
export async function grantDifference(
  query: Query,
  role: string,
  capability: Capability,
  serverVersion: number,
): Promise<GrantDifference> {
  const grants = capability.grants.filter(({ verb }) => verb !== 'maintain' || serverVersion >= HAS_MAINTAIN)
  const insertsToo = grants.some(({ verb }) => verb === 'insert')
  const values = [role, JSON.stringify(grants), capability.createIn]
  const rows = await query<PrivilegeRow>(privileges(insertsToo), values)
  const absent = rows.filter((row) => row.wanted && !row.held)
  const unwanted = rows.filter((row) => !row.wanted)
  // What is taken away from a whole table is taken away from its columns too (PostgreSQL, REVOKE).
  const whole = new Set(unwanted.filter(({ column }) => column === null).map(onTable))
  const swept = rows.filter((row) => row.wanted && row.held && row.column !== null && whole.has(onTable(row)))
  return {
    missing: [...absent, ...swept].filter((row) => row.grantable).map(privilegeOf),
    ungrantable: absent.filter((row) => !row.grantable).map(privilegeOf),
    excess: unwanted.filter((row) => row.grantable).map(privilegeOf),
    irrevocable: unwanted.filter((row) => !row.grantable).map(privilegeOf),
  }
}

/** GRANT or REVOKE statements: one for all objects that get the same privileges. */
export function changeStatements(
  change: 'GRANT' | 'REVOKE',
  privileges: readonly Privilege[],
  role: string,
): string[] {
  const byObject = Map.groupBy(privileges, (one) => `${one.kind} ${objectName(one)}`)
  const bySet = Map.groupBy(byObject.values(), (list) => `${wordsFor(list)} ON ${list[0]?.kind ?? ''}`)
  const direction = change === 'GRANT' ? 'TO' : 'FROM'
  return [...bySet].map(([set, lists]) => {
    const objects = lists.flatMap(([first]) => (first === undefined ? [] : [objectName(first)]))
    return `${change} ${set} ${objects.join(', ')} ${direction} ${identifier(role)}`
  })
}

/** `INSERT, SELECT ("email", "id")`: the privileges on one object. */
function wordsFor(privileges: readonly Privilege[]): string {
  const words: string[] = []
  const columns = new Map<string, string[]>()
  for (const { privilege, column } of privileges) {
    if (column === undefined) words.push(privilege)
    else columns.set(privilege, (columns.get(privilege) ?? []).concat(identifier(column)))
  }
  for (const [privilege, names] of columns) words.push(`${privilege} (${names.join(', ')})`)
  return words.toSorted().join(', ')
}

/** `SELECT ("email") on "public"."customers"`, for people. */
export function describePrivilege(privilege: Privilege): string {
  return `${wordsFor([privilege])} on ${objectName(privilege)}`
}

function objectName({ schema, relation }: Privilege): string {
  return relation === undefined ? identifier(schema) : `${identifier(schema)}.${identifier(relation)}`
}

function onTable({ kind, schema, relation, privilege }: PrivilegeRow): string {
  return JSON.stringify([kind, schema, relation, privilege])
}

function privilegeOf({ kind, schema, relation, column, privilege }: PrivilegeRow): Privilege {
  return { kind, schema, relation: relation ?? undefined, column: column ?? undefined, privilege }
}
