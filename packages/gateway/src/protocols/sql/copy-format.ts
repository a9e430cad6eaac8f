import type { Fields } from './tree.ts'
import { fieldsOf, list, nodeOf, text } from './tree.ts'

/** How COPY … TO STDOUT writes rows ("COPY", "File Formats"). */
export type CopyFormat =
  | {
      readonly format: 'text'
      readonly delimiter: string
      /** What stands for NULL. */
      readonly null: string
      /** The first row has the names of the columns. */
      readonly header: boolean
    }
  | {
      readonly format: 'csv'
      readonly delimiter: string
      readonly null: string
      readonly header: boolean
      readonly quote: string
      readonly escape: string
    }
  /** Its rows cannot be taken apart here. */
  | { readonly format: 'closed'; readonly because: string }

const BINARY: CopyFormat = { format: 'closed', because: 'it is in the binary format' }

const TRUE: ReadonlySet<string> = new Set(['true', 'on'])
const FALSE: ReadonlySet<string> = new Set(['false', 'off'])

/** What decides how rows look. What is none of these, and of no effect on that, is in `HARMLESS`. */
interface Options {
  format: string
  delimiter: string | undefined
  null: string | undefined
  header: boolean
  quote: string
  escape: string | undefined
}

/** Of no effect on how rows of COPY TO are told apart. */
const HARMLESS: ReadonlySet<string> = new Set(['force_quote', 'freeze', 'oids'])

/** @param statement the fields of a CopyStmt */
export function copyFormat(statement: Fields): CopyFormat {
  const options: Options = {
    format: 'text',
    delimiter: undefined,
    null: undefined,
    header: false,
    quote: '"',
    escape: undefined,
  }
  for (const item of list(statement['options'])) {
    const because = readOption(nodeOf(item, 'DefElem'), options)
    if (because !== undefined) return { format: 'closed', because }
  }
  const { format, header, quote, escape = quote } = options
  if (format === 'binary') return BINARY
  if (format !== 'text' && format !== 'csv') return { format: 'closed', because: `its format is ${format}` }
  const delimiter = options.delimiter ?? (format === 'csv' ? ',' : '\t')
  const nullText = options.null ?? (format === 'csv' ? '' : String.raw`\N`)
  if ([delimiter, quote, escape].some((character) => !isOneByte(character)))
    return { format: 'closed', because: 'what separates its values is no single character' }
  return format === 'text'
    ? { format, delimiter, null: nullText, header }
    : { format, delimiter, null: nullText, header, quote, escape }
}

/** @returns why nothing can be made of it */
function readOption(option: Fields | undefined, options: Options): string | undefined {
  const name = text(option?.['defname']) ?? ''
  const value = text(nodeOf(option?.['arg'], 'String')?.['sval'])
  switch (name) {
    case 'format':
      options.format = value ?? ''
      return undefined
    case 'delimiter':
    case 'null':
      options[name] = value ?? ''
      return undefined
    case 'quote':
    case 'escape':
      options[name] = value ?? ''
      return undefined
    case 'header': {
      const header = headerOf(option?.['arg'])
      options.header = header === true
      return header === undefined ? 'whether it has a header is not clear' : undefined
    }
    case 'encoding':
      return /^utf-?8$/i.test(value ?? '') ? undefined : 'its encoding is not UTF8'
    default:
      return HARMLESS.has(name) ? undefined : `its option ${name} is not known`
  }
}

/** A row that is taken for a header is not masked: only what is sure to be one is. */
function headerOf(argument: unknown): boolean | undefined {
  if (argument === undefined) return true
  const bool = nodeOf(argument, 'Boolean')
  if (bool !== undefined) return bool['boolval'] === true
  const integer = nodeOf(argument, 'Integer')
  if (integer !== undefined) return integerHeader(integer['ival'])
  const word = text(fieldsOf(nodeOf(argument, 'String'))?.['sval'])?.toLowerCase() ?? ''
  if (TRUE.has(word)) return true
  return FALSE.has(word) ? false : undefined
}

function integerHeader(value: unknown): boolean | undefined {
  if (value === undefined || value === 0) return false
  return value === 1 ? true : undefined
}

function isOneByte(character: string): boolean {
  return character.length === 1 && character.charCodeAt(0) < 0x80
}
