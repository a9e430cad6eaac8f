import type { ReadingBuilder } from './reading.ts'
import { formatSearchPath, parseSearchPath } from './search-path.ts'
import { changeSetting } from './settings.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nameParts, nodeOf, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const

/** SET, RESET, SET TRANSACTION, SET SESSION CHARACTERISTICS. */
export function readVariableSet(fields: Fields, reading: ReadingBuilder): void {
  const kind = text(fields['kind'])
  const name = text(fields['name']) ?? ''
  // It takes back what the client has set for its own protection too (the tenant that row security looks at).
  if (kind === 'VAR_RESET_ALL') {
    reading.setsPath('session-start')
    return reading.does('set', DATABASE)
  }
  if (name.toLowerCase() === 'search_path') return readSearchPath(kind, fields['args'], reading)
  if (kind === 'VAR_RESET' || kind === 'VAR_SET_DEFAULT') return change(name, undefined, reading)
  if (kind === 'VAR_SET_MULTI' && (name === 'TRANSACTION' || name === 'SESSION CHARACTERISTICS')) {
    return readTransactionModes(fields['args'], reading)
  }
  if (kind === 'VAR_SET_VALUE') return change(name, settingValue(fields['args']), reading)
  // SET TRANSACTION SNAPSHOT and SET … FROM CURRENT, which only functions may say.
  reading.opaque(`SET ${name} is not supported`)
}

/** BEGIN, START TRANSACTION and SET TRANSACTION name their modes alike. */
export function readTransactionModes(options: unknown, reading: ReadingBuilder): void {
  for (const option of list(options)) {
    const fields = nodeOf(option, 'DefElem')
    change(text(fields?.['defname']) ?? '', constant(fields?.['arg']) ?? 'unknown', reading)
  }
}

/** `set_config(name, value, is_local)`, which does what SET does (config, "System Administration Functions"). */
export function readSetConfig(args: unknown, reading: ReadingBuilder): void {
  reading.textMatters()
  const [name, value] = list(args)
  const setting = stringConstant(name)
  const to = stringConstant(value)
  if (setting === undefined || to === undefined) {
    reading.opaque('set_config is called with something else than string constants')
  } else if (setting.toLowerCase() === 'search_path') changePath(to, reading)
  else change(setting, to, reading)
}

/**
 * The call of set_config in `SELECT set_config(name, …) FROM pg_settings WHERE name = 'x'`, by which pg_dump and others
 * change a setting where the server has it, with the setting's name in place of the column. Undefined for anything else.
 */
export function setConfigOfOneSetting(select: Fields): Fields | undefined {
  const { targetList, fromClause, whereClause, limitOption: _, op: __, ...others } = select
  const [target, ...otherTargets] = list(targetList)
  const [from, ...otherTables] = list(fromClause)
  if (Object.keys(others).length + otherTargets.length + otherTables.length > 0) return undefined
  const { relname, schemaname, alias } = nodeOf(from, 'RangeVar') ?? {}
  if (relname !== 'pg_settings' || alias !== undefined || (schemaname ?? 'pg_catalog') !== 'pg_catalog')
    return undefined
  const where = nodeOf(whereClause, 'A_Expr')
  const isEquals = where?.['kind'] === 'AEXPR_OP' && nameParts(where['name']).join() === '='
  if (!isEquals || !isNameColumn(where['lexpr']) || stringConstant(where['rexpr']) === undefined)
    return undefined
  const call = nodeOf(nodeOf(target, 'ResTarget')?.['val'], 'FuncCall')
  const [name, ...rest] = list(call?.['args'])
  const isSetConfig = nameParts(call?.['funcname']).at(-1) === 'set_config'
  return isSetConfig && isNameColumn(name) ? { ...call, args: [where['rexpr'], ...rest] } : undefined
}

function isNameColumn(node: unknown): boolean {
  return nameParts(nodeOf(node, 'ColumnRef')?.['fields']).join('.') === 'name'
}

/** SET search_path TO a, "b", 'c': each word and each string is one schema, whatever is in it. */
function readSearchPath(kind: string | undefined, args: unknown, reading: ReadingBuilder): void {
  if (kind === 'VAR_RESET' || kind === 'VAR_SET_DEFAULT') return reading.setsPath('session-start')
  const schemas = list(args).map(constant)
  const known = schemas.filter((schema) => schema !== undefined)
  if (kind !== 'VAR_SET_VALUE' || known.length < schemas.length) {
    return reading.opaque('search_path is set to something else than the names of schemas')
  }
  changePath(formatSearchPath(known), reading)
}

/** Paths that no policy minds: they only leave out what sessions begin with. Any other is for policy to permit. */
const NARROWER: ReadonlySet<string> = new Set(['public', 'pg_catalog', ''])

function changePath(value: string, reading: ReadingBuilder): void {
  const path = parseSearchPath(value)
  if (path === undefined) return reading.opaque('search_path is set to something that is no list of schemas')
  if (!path.every((schema) => NARROWER.has(schema))) reading.does('set', DATABASE)
  reading.setsPath(path)
}

function change(name: string, value: string | undefined, reading: ReadingBuilder): void {
  const means = changeSetting(name, value)
  if (means.kind === 'set') reading.does('set', DATABASE)
  if (means.kind === 'refused') reading.opaque(means.because)
}

/** The values of a SET, as one string; a value that is no constant is no safe one. */
function settingValue(args: unknown): string {
  return list(args)
    .map((arg) => constant(arg) ?? '\0')
    .join(', ')
}

function stringConstant(node: unknown): string | undefined {
  const cast = nodeOf(node, 'TypeCast')
  if (cast) return stringConstant(cast['arg'])
  const sval = nodeOf(node, 'A_Const')?.['sval']
  return sval === undefined ? undefined : (text(fieldsOf(sval)?.['sval']) ?? '')
}

function constant(node: unknown): string | undefined {
  const fields = nodeOf(node, 'A_Const')
  if (fields === undefined) return undefined
  const ival = fieldsOf(fields['ival'])
  if (ival) return typeof ival['ival'] === 'number' ? ival['ival'].toString() : '0'
  const fval = fieldsOf(fields['fval'])
  if (fval) return text(fval['fval'])
  return stringConstant(node)
}
