import { SallyportError } from '../access/errors.ts'
import type { Operation } from '../access/model.ts'
import { readingDigest } from './digest.ts'
import type { BoundStatement, KeptStatement } from './ports.ts'

/** What a person can be expected to have looked through. Padding a statement to a megabyte must not get it approved. */
const MAX_TEXT = 64 * 1024
/** All values of one statement together, as they are sent. */
const MAX_PARAMETER_BYTES = 64 * 1024
const MAX_PARAMETERS = 1000

/**
 * The statement as it is kept and shown to people.
 * @throws SallyportError LIMIT_REACHED when it is more than anybody can review, REQUEST_INVALID when it cannot be shown
 */
export function keepStatement(statement: BoundStatement): KeptStatement {
  const { text, parameters, executes, searchPath, reading, shape, objects } = statement
  const texts = [text, ...executes.map((one) => one.text)]
  const bytes = parameters.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
  if (texts.join('').length > MAX_TEXT || bytes > MAX_PARAMETER_BYTES || parameters.length > MAX_PARAMETERS) {
    throw new SallyportError('LIMIT_REACHED', 'the statement is longer than people can review', {
      hint: `at most ${MAX_TEXT / 1024} KB of text and ${MAX_PARAMETER_BYTES / 1024} KB of parameters; split it, or shorten it`,
    })
  }
  // U+FFFD stands where bytes were not UTF-8: what is shown would not be what is sent.
  if (texts.some((one) => one.includes('\0') || one.includes('\uFFFD') || !one.isWellFormed())) {
    throw new SallyportError(
      'REQUEST_INVALID',
      'the statement holds characters that cannot be shown to people',
    )
  }
  return {
    text,
    parameters: parameters.map(({ format, type, value }) => ({
      format,
      type,
      value: value === null ? null : value.toString('base64'),
    })),
    executes: executes.map((one) => ({ name: one.name, text: one.text })),
    searchPath,
    operations: [...new Set(reading.operations.map(describe))],
    readingDigest: readingDigest(reading),
    ...(shape === undefined ? {} : { shape }),
    ...(objects === undefined ? {} : { objects }),
  }
}

/** `update public.orders`, `create public`, `call`; what happens by way of something else says so. */
function describe({ action, resource, through }: Operation): string {
  const via = through === undefined ? '' : ` (through ${through.schema}.${through.table})`
  if (resource.type === 'Table') return `${action} ${resource.schema}.${resource.table}${via}`
  return resource.type === 'Schema' ? `${action} ${resource.schema}${via}` : `${action}${via}`
}
