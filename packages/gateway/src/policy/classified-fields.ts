import { DETECTED } from '../access/masking.ts'
import type { MaskedClass } from '../access/masking.ts'
import type { Classification, DataClass } from './resource-schemas.ts'

/** A field as `Classification` resources name it: a column, or what is below some keys of a JSON column. */
export interface Field {
  readonly schema: string
  readonly table: string
  readonly column: string
  /** From the outside in; left out: the whole column. */
  readonly path?: readonly string[]
}

/** A data class that a column holds. */
export interface FieldClass {
  readonly name: string
  /** Only below these keys of its JSON. */
  readonly path?: readonly string[]
}

/** The class of columns that nobody has listed, where a classification says `unlisted: mask`. */
export const UNLISTED = 'unlisted'

const NAME = /"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z0-9_$]*)/y
const KEY = /->(?:"((?:[^"]|"")*)"|([A-Za-z0-9_$]+))/y

/**
 * Reads `public.customers.email` and `public.employees.profile->address->zip`; names and keys that are more than letters,
 * digits and `_` stand in double quotes, as in SQL.
 * @returns undefined when it is no field
 */
export function readField(text: string): Field | undefined {
  const names: string[] = []
  let at = 0
  while (names.length < 3) {
    if (names.length > 0 && text[at++] !== '.') return undefined
    NAME.lastIndex = at
    const found = NAME.exec(text)
    if (found === null) return undefined
    names.push(found[2] ?? (found[1] ?? '').replaceAll('""', '"'))
    at = NAME.lastIndex
  }
  const path: string[] = []
  while (at < text.length) {
    KEY.lastIndex = at
    const found = KEY.exec(text)
    if (found === null) return undefined
    path.push(found[2] ?? (found[1] ?? '').replaceAll('""', '"'))
    at = KEY.lastIndex
  }
  const [schema, table, column] = names
  if (schema === undefined || table === undefined || column === undefined) return undefined
  return { schema, table, column, ...(path.length === 0 ? {} : { path }) }
}

interface Classified {
  readonly columns: Map<string, FieldClass[]>
  readonly clear: Set<string>
  /** Some classification says that what it does not list is to be masked. */
  masksUnlisted: boolean
}

/** Which columns of one target hold which classes of data. */
export class ClassifiedFields {
  readonly #tables = new Map<string, Classified>()
  /** Texts without a class are looked through; `names`: for names and places, too. */
  readonly detects: false | 'formats' | 'names'

  constructor(
    classifications: readonly (Pick<Classification, 'fields' | 'clear' | 'unlisted'> &
      Partial<Pick<Classification, 'texts'>>)[],
  ) {
    const wanted = new Set(classifications.map(({ texts }) => texts))
    this.detects = wanted.has('detect-names') ? 'names' : wanted.has('detect') ? 'formats' : false
    for (const { fields, clear, unlisted } of classifications) {
      for (const { field, class: name } of fields) {
        const known = this.#tableOf(field)
        if (unlisted === 'mask') known.masksUnlisted = true
        const { path } = field
        const classes = known.columns.get(field.column) ?? []
        known.columns.set(field.column, [...classes, { name, ...(path === undefined ? {} : { path }) }])
      }
      for (const field of clear) this.#tableOf(field).clear.add(field.column)
    }
  }

  /** Empty: nothing that has to be hidden. */
  of(schema: string, table: string, column: string): readonly FieldClass[] {
    const known = this.#tables.get(key(schema, table))
    if (known === undefined) return NONE
    const listed = known.columns.get(column)
    if (listed !== undefined) return listed
    return known.masksUnlisted && !known.clear.has(column) ? UNLISTED_ONLY : NONE
  }

  /** The columns that are listed with a class; `all` where those that are not listed have one, too. */
  columnsOf(schema: string, table: string): readonly string[] | 'all' {
    const known = this.#tables.get(key(schema, table))
    if (known === undefined) return NO_COLUMNS
    return known.masksUnlisted ? 'all' : [...known.columns.keys()]
  }

  /** The names of the columns that hold such classes, whatever table they are in; `all` where unlisted columns do. */
  named(isMeant: (dataClass: string) => boolean): ReadonlySet<string> | 'all' {
    const names = new Set<string>()
    for (const { columns, masksUnlisted } of this.#tables.values()) {
      if (masksUnlisted && isMeant(UNLISTED)) return 'all'
      for (const [column, classes] of columns)
        if (classes.some(({ name }) => isMeant(name))) names.add(column)
    }
    return names
  }

  /** Every class of which some field is. */
  classes(): ReadonlySet<string> {
    const names = new Set<string>()
    for (const { columns, masksUnlisted } of this.#tables.values()) {
      for (const classes of columns.values()) for (const { name } of classes) names.add(name)
      if (masksUnlisted) names.add(UNLISTED)
    }
    if (this.detects !== false) names.add(DETECTED)
    return names
  }

  #tableOf({ schema, table }: Field): Classified {
    const name = key(schema, table)
    const known = this.#tables.get(name) ?? { columns: new Map(), clear: new Set(), masksUnlisted: false }
    this.#tables.set(name, known)
    return known
  }
}

/**
 * A class and those of which it is a special case, from the inside out. Where its resource does not say another, `pii.email`
 * is in `pii`.
 */
export function classLine(name: string, dataClasses: ReadonlyMap<string, DataClass>): readonly string[] {
  const line: string[] = []
  let here: string | undefined = name
  while (here !== undefined && !line.includes(here)) {
    line.push(here)
    const dot = here.lastIndexOf('.')
    here = dataClasses.get(here)?.in ?? (dot < 0 ? undefined : here.slice(0, dot))
  }
  return line
}

/** How a class is masked: as its resource says, or that of the next class it is in; redacted where none does. */
export function maskedClass(name: string, dataClasses: ReadonlyMap<string, DataClass>): MaskedClass {
  for (const inside of classLine(name, dataClasses)) {
    const mask = dataClasses.get(inside)?.mask
    if (mask !== undefined) return { name, mask }
  }
  return { name, mask: { method: 'redact' } }
}

const NONE: readonly FieldClass[] = []
const NO_COLUMNS: readonly string[] = []
const UNLISTED_ONLY: readonly FieldClass[] = [{ name: UNLISTED }]

function key(schema: string, table: string): string {
  return JSON.stringify([schema, table])
}
