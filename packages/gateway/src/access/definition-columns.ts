import type { SourceColumn } from './data-flow.ts'

/**
 * Columns of PostgreSQL's own tables that hold what users' tables are defined by, and with it constants that somebody has found
 * worth it: the condition of a partial index, the bounds of a partition. They are values of those tables' columns, or may
 * be. Defaults of columns (`pg_attrdef`) are not among them: they say what is stored where nothing is known.
 */
const HOLD_DEFINITIONS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['pg_attribute', new Set(['attmissingval'])],
  ['pg_class', new Set(['relpartbound'])],
  ['pg_constraint', new Set(['conbin'])],
  ['pg_index', new Set(['indpred', 'indexprs'])],
  ['pg_policy', new Set(['polqual', 'polwithcheck'])],
  ['pg_publication_rel', new Set(['prqual'])],
  ['pg_statistic_ext', new Set(['stxexprs'])],
  ['pg_trigger', new Set(['tgqual'])],
])

export function holdsDefinitions({ schema, name, column }: SourceColumn): boolean {
  return schema === 'pg_catalog' && HOLD_DEFINITIONS.get(name)?.has(column) === true
}
