import { HARMLESS_FUNCTIONS } from './harmless-functions.ts'
import { readSetConfig } from './read-setting.ts'
import type { ReadingBuilder } from './reading.ts'
import type { Fields } from './tree.ts'
import { nameParts, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const

/** Schemas whose objects came with PostgreSQL, and that only a superuser can add to. */
const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema'])

/** Functions of PostgreSQL's own that do something, but change no setting and run no text that could. */
const LEAVES_SETTINGS = /^(nextval|setval|pg_\w+|lo_\w+|loread|lowrite)$/

/** The function that one call names, and whether policy must be asked about it. Arguments are read by the caller. */
export function readFunctionName(call: Fields, reading: ReadingBuilder): void {
  const parts = nameParts(call['funcname'])
  const name = parts.at(-1)
  if (name === undefined) return reading.opaque('a function is called without a name')
  const schema = parts.length > 1 ? parts.at(-2) : undefined
  // EXTRACT, SUBSTRING … FROM and the like are calls that the grammar itself qualifies.
  const isSyntax = text(call['funcformat']) === 'COERCE_SQL_SYNTAX'
  reading.calls(isSyntax || schema === undefined ? name : `${schema}.${name}`)

  const isPlain = schema === undefined || schema === 'pg_catalog'
  if (isPlain && name === 'set_config') return readSetConfig(call['args'], reading)
  if (HARMLESS_FUNCTIONS.has(isPlain ? name : `${schema}.${name}`)) return
  reading.textMatters()
  if (!isPlain || !LEAVES_SETTINGS.test(name)) reading.mayChangePath()
  if (isPlain && name === 'pg_notify') return reading.does('notify', DATABASE)
  reading.does('call', DATABASE)
}

/** An operator is a function by another name, but only PostgreSQL's own are searched first. */
export function readOperatorName(name: unknown, reading: ReadingBuilder): void {
  const parts = nameParts(name)
  const schema = parts.length > 1 ? parts.at(-2) : undefined
  if (schema === undefined || SYSTEM_SCHEMAS.has(schema)) return
  reading.calls(`${schema}.${parts.at(-1) ?? ''}`)
  reading.textMatters()
  reading.does('call', DATABASE)
}
