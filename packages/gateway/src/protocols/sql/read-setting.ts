import type { ReadingBuilder } from './reading.ts'
import { changeSetting } from './settings.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nodeOf, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const

/** SET, RESET, SET TRANSACTION, SET SESSION CHARACTERISTICS. */
export function readVariableSet(fields: Fields, reading: ReadingBuilder): void {
  const kind = text(fields['kind'])
  const name = text(fields['name']) ?? ''
  if (kind === 'VAR_RESET_ALL') return
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
  } else if (setting.toLowerCase() === 'search_path') change(setting, unquoted(to), reading)
  else change(setting, to, reading)
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

/** A search path as one string: its quoted names without their quotes. */
function unquoted(path: string): string {
  return path
    .split(',')
    .map((part) => part.trim().replace(/^"([^"]*)"$/, '$1'))
    .join(', ')
}
