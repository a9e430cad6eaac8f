import type { Routine } from '../../access/catalog.ts'
import type { FunctionCall } from '../../access/model.ts'
import { HARMLESS_FUNCTIONS } from './harmless-functions.ts'
import { TELLS_ONLY_ARGUMENTS } from './function-values.ts'
import type { Names } from './names.ts'
import { readSetConfig } from './read-setting.ts'
import type { ReadingBuilder } from './reading.ts'
import type { Fields } from './tree.ts'
import { nameParts, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const

/** Schemas whose objects came with PostgreSQL, and that only a superuser can add to. */
const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema'])

/** Functions of PostgreSQL's own that do something, but change no setting and run no text that could. */
const LEAVES_SETTINGS = /^(nextval|setval|pg_\w+|lo_\w+|loread|lowrite)$/

/**
 * The function that one call names, and whether policy must be asked about it. Arguments are read by the caller.
 * @returns whether its value can depend on nothing that is stored but what is in its arguments
 */
export function readFunctionName(call: Fields, reading: ReadingBuilder): boolean {
  const parts = nameParts(call['funcname'])
  const name = parts.at(-1)
  if (name === undefined) {
    reading.opaque('a function is called without a name')
    return false
  }
  const schema = parts.length > 1 ? parts.at(-2) : undefined
  // EXTRACT, SUBSTRING … FROM and the like are calls that the grammar itself qualifies.
  const isSyntax = text(call['funcformat']) === 'COERCE_SQL_SYNTAX'
  const own = usersRoutines(schema, name, reading.names)
  const system = schema === undefined || SYSTEM_SCHEMAS.has(schema) ? systemFunction(schema, name) : undefined
  const harmless = (system !== undefined || own.length > 0) && own.every(isHarmless)
  const shown = isSyntax || schema === undefined ? name : `${schema}.${name}`
  reading.calls({ name: shown, volatility: mostVolatile(system, own, harmless), harmless })

  const isPlain = own.length === 0 && (schema === undefined || schema === 'pg_catalog')
  const tells = harmless || (isPlain && TELLS_ONLY_ARGUMENTS.has(name))
  if (isPlain && name === 'set_config') {
    readSetConfig(call['args'], reading)
    return tells
  }
  if (harmless) return tells
  reading.textMatters()
  if (!isPlain || !LEAVES_SETTINGS.test(name)) reading.mayChangePath()
  reading.does(isPlain && name === 'pg_notify' ? 'notify' : 'call', DATABASE)
  return tells
}

/**
 * An operator is a function by another name.
 * @returns as for a function
 */
export function readOperatorName(name: unknown, reading: ReadingBuilder): boolean {
  const parts = nameParts(name)
  const operator = parts.at(-1)
  if (operator === undefined) return true
  const schema = parts.length > 1 ? parts.at(-2) : undefined
  if (schema !== undefined && SYSTEM_SCHEMAS.has(schema)) return true
  // A bare name is looked for in the whole path, and whichever fits the operands best is taken ("Operator Type Resolution").
  const schemas = schema === undefined ? reading.names.searched() : [schema]
  if (schema === undefined && !schemas.some((one) => reading.names.index.hasOwnOperator(operator, one)))
    return true
  reading.calls({
    name: schema === undefined ? operator : `${schema}.${operator}`,
    volatility: 'volatile',
    harmless: false,
  })
  reading.textMatters()
  reading.mayChangePath()
  reading.does('call', DATABASE)
  return false
}

/**
 * Users' functions that a call may mean: with a bare name all of that name in the path, since the types of the arguments,
 * which nobody knows here, decide between them and PostgreSQL's own ("Function Type Resolution").
 */
function usersRoutines(schema: string | undefined, name: string, names: Names): readonly Routine[] {
  if (schema !== undefined && SYSTEM_SCHEMAS.has(schema)) return []
  const schemas = schema === undefined ? names.searched() : [schema]
  return names.index.routines(name).filter((routine) => schemas.includes(routine.schema))
}

function systemFunction(schema: string | undefined, name: string): FunctionCall['volatility'] | undefined {
  return HARMLESS_FUNCTIONS.get(schema === 'information_schema' ? `${schema}.${name}` : name)
}

/**
 * Only a superuser can install a function in C, and one that is immutable looks, by its author's word, at nothing but its
 * arguments: what extensions bring for types of their own. The code behind an aggregate is not told by its language.
 */
function isHarmless({ kind, language, volatility, securityDefiner }: Routine): boolean {
  return kind === 'function' && language === 'c' && volatility === 'immutable' && !securityDefiner
}

const VOLATILITIES = ['immutable', 'stable', 'volatile'] as const

/** What is known of neither PostgreSQL's own nor users' functions counts as volatile. */
function mostVolatile(
  system: FunctionCall['volatility'] | undefined,
  own: readonly Routine[],
  harmless: boolean,
): FunctionCall['volatility'] {
  const all = own.map(({ volatility }) => volatility)
  if (system !== undefined) all.push(system)
  if (all.length === 0 && !harmless) return 'volatile'
  return VOLATILITIES.findLast((volatility) => all.includes(volatility)) ?? 'volatile'
}
