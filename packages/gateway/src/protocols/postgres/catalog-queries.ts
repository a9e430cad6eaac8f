/**
 * A catalog is held in memory, sent to parser threads and asked about for every capability; nobody gives an agent more
 * than this.
 */
export const MOST = { relations: 100_000, columns: 1_000_000, routines: 100_000 } as const

/** For `nspname`: not PostgreSQL's own, and not that of some session's temporary tables. `pg_` is reserved for those. */
const IS_USERS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
/** PostgreSQL's own schemas have names that statements join with; toast tables and temporary ones are nobody's business. */
const IS_READABLE = "(n.nspname !~ '^pg_' OR n.nspname = 'pg_catalog')"
const IS_RELATION = "c.relkind IN ('r', 'v', 'm', 'p', 'f')"

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

/**
 * `search_path` of a new role's session. What is set for the database comes before what is set for all roles, and that
 * before the server's own configuration (PostgreSQL, `process_settings`), which is what our session would go back to.
 */
const START_PATH = `
  SELECT coalesce(
    (SELECT substr(setting, 13) FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
     WHERE s.setrole = 0 AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
       AND starts_with(setting, 'search_path=')
     ORDER BY s.setdatabase DESC LIMIT 1),
    (SELECT CASE WHEN EXISTS (
         SELECT FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
         WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
           AND starts_with(setting, 'search_path='))
       THEN boot_val ELSE reset_val END
     FROM pg_settings WHERE name = 'search_path'))`

/** The database as a whole. One row. */
export const DATABASE = `
SELECT current_setting('server_version_num')::int AS version, (${START_PATH}) AS path,
  ARRAY(SELECT n.nspname::text FROM pg_namespace n WHERE ${IS_USERS} ORDER BY n.nspname COLLATE "C") AS schemas,
  (SELECT coalesce(json_agg(o), '[]') FROM (
     SELECT DISTINCT n.nspname AS schema, o.oprname AS name
     FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
     WHERE ${IS_USERS} AND NOT EXISTS (
       SELECT FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
       WHERE p.oid = o.oprcode AND p.provolatile = 'i' AND NOT p.prosecdef AND l.lanname IN ('c', 'internal'))
     ORDER BY 1, 2) o) AS operators`

/** A row for each relation, ordered by name. */
export const RELATIONS = `
WITH relations AS MATERIALIZED (
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.reloptions,
    ${IS_USERS} AS users
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${IS_RELATION} AND ${IS_READABLE}
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
  LIMIT ${MOST.relations + 1}
),
types AS MATERIALIZED (
  SELECT t.atttypid, t.atttypmod, format_type(t.atttypid, t.atttypmod) AS name
  FROM (
    SELECT DISTINCT a.atttypid, a.atttypmod FROM pg_attribute a JOIN relations r ON r.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped) t
),
columns AS MATERIALIZED (
  SELECT a.attrelid AS relation, json_agg(
    json_build_array(a.attname, t.name, NOT a.attnotnull, a.attnum, a.attgenerated <> '')
    ORDER BY a.attnum) AS list
  FROM pg_attribute a JOIN relations r ON r.oid = a.attrelid JOIN types t USING (atttypid, atttypmod)
  WHERE a.attnum > 0 AND NOT a.attisdropped
  GROUP BY a.attrelid
),
sequences AS MATERIALIZED (
  SELECT q.relation, json_agg(json_build_array(n.nspname, s.relname) ORDER BY n.nspname, s.relname) AS list
  FROM (${SEQUENCES}) q JOIN pg_class s ON s.oid = q.sequence JOIN pg_namespace n ON n.oid = s.relnamespace
  GROUP BY q.relation
),
parents AS MATERIALIZED (
  SELECT i.inhrelid AS relation, json_agg(json_build_array(n.nspname, c.relname) ORDER BY i.inhseqno) AS list
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${IS_RELATION}
  GROUP BY i.inhrelid
),
rules AS MATERIALIZED (
  SELECT DISTINCT ev_class AS relation FROM pg_rewrite WHERE rulename <> '_RETURN'
),
triggers AS MATERIALIZED (
  SELECT t.tgrelid AS relation,
    json_agg(json_build_array(t.tgname, t.tgtype, n.nspname, p.proname) ORDER BY t.tgname) AS list
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
  GROUP BY t.tgrelid
),
foreign_keys AS MATERIALIZED (
  SELECT f.conrelid AS relation, json_agg(json_build_array(f.conname, (
      SELECT json_agg(a.attname ORDER BY k.place)
      FROM unnest(f.conkey) WITH ORDINALITY AS k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum
    ), n.nspname, c.relname, f.confdeltype, f.confupdtype) ORDER BY f.conname, f.oid) AS list
  FROM pg_constraint f JOIN pg_class c ON c.oid = f.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE f.contype = 'f'
  GROUP BY f.conrelid
),
used AS MATERIALIZED (
  SELECT w.ev_class AS relation, d.refobjid AS other,
    coalesce(json_agg(a.attname ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), '[]') AS columns
  FROM relations r
  JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename = '_RETURN'
  JOIN (
    SELECT DISTINCT objid, refobjid, refobjsubid FROM pg_depend
    WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass) d
    ON d.objid = w.oid AND d.refobjid <> w.ev_class
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND d.refobjsubid <> 0
  WHERE r.users
  GROUP BY w.ev_class, d.refobjid
),
uses AS MATERIALIZED (
  SELECT u.relation, json_agg(json_build_array(n.nspname, c.relname, u.columns)
    ORDER BY n.nspname, c.relname) AS list
  FROM used u JOIN pg_class c ON c.oid = u.other JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${IS_RELATION} AND ${IS_USERS}
  GROUP BY u.relation
)
SELECT r.oid, r.schema, r.name, r.kind, r.users, c.list AS columns, q.list AS sequences, p.list AS parents,
  u.relation IS NOT NULL AS rules, t.list AS triggers, f.list AS "foreignKeys", v.list AS uses,
  coalesce((SELECT option_value::boolean FROM pg_options_to_table(r.reloptions)
    WHERE option_name = 'security_invoker'), false) AS invoker
FROM relations r
LEFT JOIN columns c ON c.relation = r.oid
LEFT JOIN sequences q ON q.relation = r.oid
LEFT JOIN parents p ON p.relation = r.oid
LEFT JOIN rules u ON u.relation = r.oid
LEFT JOIN triggers t ON t.relation = r.oid
LEFT JOIN foreign_keys f ON f.relation = r.oid
LEFT JOIN uses v ON v.relation = r.oid
ORDER BY r.schema COLLATE "C", r.name COLLATE "C"`

/**
 * Queries of views (`number` 0) and expressions of generated columns. PostgreSQL takes a lock on what it writes out, so that
 * this waits for whoever is changing a table just then.
 */
export const EXPRESSIONS = `
SELECT c.oid AS relation, 0 AS number, pg_get_viewdef(c.oid) AS text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND ${IS_USERS}
UNION ALL
SELECT d.adrelid, d.adnum, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''`

/** A row for each routine outside of PostgreSQL's own schemas, ordered by name. */
export const ROUTINES = `
SELECT n.nspname AS schema, p.proname AS name, p.prokind AS kind,
  pg_get_function_identity_arguments(p.oid) AS arguments, p.provolatile AS volatility, p.proretset AS set,
  p.prosecdef AS definer, l.lanname AS language
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE ${IS_USERS}
ORDER BY n.nspname COLLATE "C", p.proname COLLATE "C", p.oid
LIMIT ${MOST.routines + 1}`

/**
 * A text that changes with anything of the above, without writing it out. Not with what GRANT changes, which we do
 * ourselves all the time. In the order of the tables' own indexes, so that it is the same whichever way the rows lie.
 */
export const FINGERPRINT = `
SELECT encode(sha256(convert_to(concat_ws(E'\\x1e', current_setting('server_version_num'), (${START_PATH}),
  (SELECT string_agg(oid || ':' || nspname, ',' ORDER BY oid) FROM pg_namespace WHERE nspname !~ '^pg_temp|^pg_toast'),
  (SELECT string_agg(concat_ws(':', oid, relnamespace, relkind, relhasrules, array_to_string(reloptions, ';'), relname),
     ',' ORDER BY oid) FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p', 'f', 'S', 'c')
     AND relpersistence <> 't'),
  (SELECT string_agg(concat_ws(':', a.attrelid, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, a.attisdropped,
     a.attgenerated, a.attname), ',' ORDER BY a.attrelid, a.attnum)
   FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
   WHERE a.attnum > 0 AND ${IS_RELATION} AND c.relpersistence <> 't'),
  (SELECT string_agg(concat_ws(':', t.oid, t.typnamespace, t.typname), ',' ORDER BY t.oid) FROM pg_type t
   WHERE t.oid >= 16384 AND t.typrelid = 0 AND (t.typelem = 0 OR t.typtype = 'd')),
  (SELECT string_agg(adrelid || ':' || oid || ':' || xmin, ',' ORDER BY oid) FROM pg_attrdef),
  (SELECT string_agg(oid || ':' || xmin, ',' ORDER BY oid) FROM pg_rewrite),
  (SELECT string_agg(concat_ws(':', oid, xmin), ',' ORDER BY oid) FROM pg_trigger WHERE NOT tgisinternal),
  (SELECT string_agg(concat_ws(':', oid, xmin), ',' ORDER BY oid) FROM pg_constraint WHERE contype = 'f'),
  (SELECT string_agg(concat_ws(':', inhrelid, inhparent, inhseqno), ',' ORDER BY inhrelid, inhseqno) FROM pg_inherits),
  (SELECT string_agg(concat_ws(':', oid, xmin), ',' ORDER BY oid) FROM pg_proc WHERE oid >= 16384),
  (SELECT string_agg(concat_ws(':', o.oid, o.oprnamespace, o.oprname), ',' ORDER BY o.oid) FROM pg_operator o
   WHERE o.oid >= 16384),
  (SELECT string_agg(concat_ws(':', d.objid, d.refobjid), ',' ORDER BY d.objid, d.refobjid)
   FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
   WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
), 'UTF8')), 'hex') AS fingerprint`
