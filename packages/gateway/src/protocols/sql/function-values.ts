import type { SourceColumn } from '../../access/data-flow.ts'

/** PostgreSQL's own functions that do something, but give back nothing of what is stored but their arguments. */
export const TELLS_ONLY_ARGUMENTS: ReadonlySet<string> = new Set([
  'nextval',
  'setval',
  'pg_sleep',
  'pg_sleep_for',
  'pg_sleep_until',
  'set_config',
  'pg_notify',
  'pg_advisory_lock',
  'pg_advisory_lock_shared',
  'pg_advisory_unlock',
  'pg_advisory_unlock_all',
  'pg_advisory_unlock_shared',
  'pg_advisory_xact_lock',
  'pg_advisory_xact_lock_shared',
  'pg_try_advisory_lock',
  'pg_try_advisory_lock_shared',
  'pg_try_advisory_xact_lock',
  'pg_try_advisory_xact_lock_shared',
  'pg_cancel_backend',
  'pg_terminate_backend',
  'setseed',
])

/** Functions that write out a definition, and the column of the catalog that it is made of. */
export const WRITES_DEFINITION: ReadonlyMap<string, SourceColumn> = new Map([
  ['pg_get_indexdef', { schema: 'pg_catalog', name: 'pg_index', column: 'indpred' }],
  ['pg_get_constraintdef', { schema: 'pg_catalog', name: 'pg_constraint', column: 'conbin' }],
  ['pg_get_partition_constraintdef', { schema: 'pg_catalog', name: 'pg_class', column: 'relpartbound' }],
])

/** Functions of which each call gives any number of rows, and how many can hang on the value of an argument. */
export const ROWS_TELL: ReadonlySet<string> = new Set([
  'generate_series',
  'generate_subscripts',
  'regexp_matches',
  'regexp_split_to_table',
  'string_to_table',
  'jsonb_path_query',
  'jsonb_path_query_tz',
  'ts_parse',
  'ts_debug',
  'unnest',
  'json_each',
  'json_each_text',
  'jsonb_each',
  'jsonb_each_text',
  'json_array_elements',
  'json_array_elements_text',
  'jsonb_array_elements',
  'jsonb_array_elements_text',
  'json_object_keys',
  'jsonb_object_keys',
  'json_populate_recordset',
  'jsonb_populate_recordset',
  'json_to_recordset',
  'jsonb_to_recordset',
])

/**
 * Of those, the ones that take a value apart: how many parts a document or an array has is told by its shape, not by
 * what is in it, and the parts themselves are masked. That much is let be known.
 */
export const ROWS_TELL_SHAPE: ReadonlySet<string> = new Set(
  [...ROWS_TELL]
    .filter((name) => name.startsWith('json') || name === 'unnest')
    .filter((name) => !name.includes('path')),
)

/** Functions that make a document or an array with a part for each of their arguments, or for each row. */
export const MAKES_PARTS: ReadonlySet<string> = new Set([
  'json_agg',
  'jsonb_agg',
  'json_build_array',
  'jsonb_build_array',
  'json_build_object',
])

/** Functions that make a document of a value, with as many parts as that has. */
export const KEEPS_PARTS: ReadonlySet<string> = new Set([
  'row_to_json',
  'to_json',
  'to_jsonb',
  'array_to_json',
])

/** The columns of functions in FROM that have several; all others have one, or are not known. */
export const FUNCTION_COLUMNS: ReadonlyMap<string, readonly string[]> = new Map([
  ['json_each', ['key', 'value']],
  ['json_each_text', ['key', 'value']],
  ['jsonb_each', ['key', 'value']],
  ['jsonb_each_text', ['key', 'value']],
  ['json_array_elements', ['value']],
  ['json_array_elements_text', ['value']],
  ['jsonb_array_elements', ['value']],
  ['jsonb_array_elements_text', ['value']],
  ['aclexplode', ['grantor', 'grantee', 'privilege_type', 'is_grantable']],
  ['ts_parse', ['tokid', 'token']],
  ['_pg_expandarray', ['x', 'n']],
  ['pg_get_keywords', ['word', 'catcode', 'barelabel', 'catdesc', 'baredesc']],
  ['pg_options_to_table', ['option_name', 'option_value']],
])

/** Functions in FROM that have one column, called like the function or its alias. */
export const ONE_COLUMN: ReadonlySet<string> = new Set([
  'generate_series',
  'generate_subscripts',
  'regexp_matches',
  'regexp_split_to_table',
  'string_to_table',
  'json_object_keys',
  'jsonb_object_keys',
  'jsonb_path_query',
  'jsonb_path_query_tz',
  'current_database',
  'current_schema',
  'version',
  'now',
])
