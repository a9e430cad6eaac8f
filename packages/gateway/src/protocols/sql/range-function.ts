import { FUNCTION_COLUMNS, ONE_COLUMN } from './function-values.ts'
import { aliasOf, entryOf, renamed } from './range-alias.ts'
import { resultName } from './result-name.ts'
import { type RangeColumn, RangeEntry, type Scope } from './scope.ts'
import { CLEAN, type Result, type Sources, type Value, madeOf, union, unionAll } from './sources.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nameParts, nodeOf, text } from './tree.ts'
import type { Walk } from './walk.ts'

/** Functions in FROM, alone or as ROWS FROM. */
export function readRangeFunction(fields: Fields, scope: Scope, walk: Walk): RangeEntry {
  const alias = aliasOf(fields)
  const calls = list(fields['functions']).map((item) => list(nodeOf(item, 'List')?.['items']))
  const isAlone = calls.length === 1
  const definitions = list(fields['coldeflist'])
  const results = calls.map(([call, columns]) => {
    const named = isAlone && definitions.length > 0 ? definitions : list(nodeOf(columns, 'List')?.['items'])
    return functionResult(call, named, isAlone ? alias.name : undefined, scope, walk)
  })
  const opens = results.flatMap(({ open }) => open ?? [])
  const counted = fields['ordinality'] === true ? [{ name: 'ordinality', value: CLEAN }] : []
  const columns = [...results.flatMap((result) => result.columns), ...counted]
  const name = alias.name ?? (isAlone ? resultName(calls[0]?.[0]) : undefined)
  // Names that are given to columns nobody knows of are names of theirs.
  const unnamed = opens.length > 0 && columns.length < alias.columns.length ? unionAll(opens) : undefined
  const extended =
    unnamed === undefined
      ? columns
      : alias.columns.map((column, n) => columns[n] ?? { name: column, value: madeOf(unnamed) })
  // It can have more columns than are named.
  const open = opens.length === 0 ? undefined : unionAll(opens)
  return entryOf({ columns: renamed(extended, alias.columns), ...(open === undefined ? {} : { open }) }, name)
}

function functionResult(
  call: unknown,
  definitions: readonly unknown[],
  alias: string | undefined,
  scope: Scope,
  walk: Walk,
): Result {
  const value = walk.expression(call, scope)
  const names = definitions.map((item) => text(nodeOf(item, 'ColumnDef')?.['colname']) ?? '')
  if (names.length > 0) return { columns: names.map((name) => ({ name, value: madeOf(value.sources) })) }
  const function_ = nodeOf(call, 'FuncCall')
  const name = nameParts(function_?.['funcname']).at(-1) ?? resultName(call)
  const made = madeOf(value.sources)
  const columns = FUNCTION_COLUMNS.get(name)
  if (columns !== undefined) return { columns: columns.map((column) => ({ name: column, value: made })) }
  if (name === 'unnest') {
    const args = list(function_?.['args'])
    const isComposite = args.length === 1 && value.fields !== undefined
    const own = args.map((): { name: string; value: Value } => ({ name: alias ?? name, value: made }))
    return isComposite ? { columns: value.fields ?? [] } : { columns: own }
  }
  const single = { columns: [{ name: alias ?? name, value: made }] }
  if (function_ === undefined || ONE_COLUMN.has(name)) return single
  // It can have one column, or those of a composite type.
  return { columns: [], open: value.sources }
}

/** XMLTABLE and JSON_TABLE: each column can hold anything of the document. */
export function readDocumentTable(tag: string, fields: Fields, scope: Scope, walk: Walk): RangeEntry {
  const alias = aliasOf(fields)
  const { columns: _, alias: __, ...rest } = fields
  const document = walk.expression({ [tag]: rest }, scope)
  if (pathsOf(tag, fields).some((path) => picksParts(path, walk)))
    walk.flow.infers(document.sources, 'pattern')
  const columns: RangeColumn[] = []
  const add = (items: unknown, around: Sources): void => {
    for (const item of list(items)) {
      const column = nodeOf(item, 'RangeTableFuncCol') ?? nodeOf(item, 'JsonTableColumn')
      const { columns: nested, ...own } = column ?? {}
      const kind = nodeOf(item, 'JsonTableColumn') === undefined ? 'RangeTableFuncCol' : 'JsonTableColumn'
      const sources = union(around, walk.expression({ [kind]: own }, scope).sources)
      if (text(own['coltype']) === 'JTC_NESTED') add(nested, sources)
      else
        columns.push({ name: text(own['colname'] ?? own['name']) ?? '', value: madeOf(sources), reads: [] })
    }
  }
  add(fields['columns'], document.sources)
  const name = alias.name ?? (tag === 'JsonTable' ? 'json_table' : 'xmltable')
  return new RangeEntry({ alias: name, columns: renamed(columns, alias.columns) })
}

/** The paths that say which parts of a document become rows: those of its columns only say what is in them. */
function pathsOf(tag: string, fields: Fields): readonly unknown[] {
  const nested = list(fields['columns']).flatMap((item) => {
    const column = nodeOf(item, 'JsonTableColumn')
    return text(column?.['coltype']) === 'JTC_NESTED' ? pathsOf(tag, column ?? {}) : []
  })
  const own =
    tag === 'JsonTable' ? nodeOf(fields['pathspec'], 'JsonTablePathSpec')?.['string'] : fields['rowexpr']
  const spec = own ?? fieldsOf(fields['pathspec'])?.['string']
  return spec === undefined ? nested : [spec, ...nested]
}

/** A path with a condition (`$.a ? (@ > 1)`, `/a[. > 1]`) picks by value; one that is no constant may have any. */
function picksParts(path: unknown, walk: Walk): boolean {
  walk.reading.textMatters()
  const constant = fieldsOf(nodeOf(path, 'A_Const')?.['sval'])?.['sval']
  return typeof constant !== 'string' || /\?|\[[^\]]*[^\]\d*\s]/.test(constant)
}
