import { RangeEntry } from './scope.ts'
import type { Result } from './sources.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, nameParts, text } from './tree.ts'

/** An alias, and the names that it gives to the first columns. */
export function aliasOf(fields: Fields): {
  readonly name: string | undefined
  readonly columns: readonly string[]
} {
  const alias = fieldsOf(fields['alias'])
  return { name: text(alias?.['aliasname']), columns: nameParts(alias?.['colnames']) }
}

export function renamed<T extends { readonly name: string }>(
  columns: readonly T[],
  names: readonly string[],
): readonly T[] {
  if (names.length === 0) return columns
  return columns.map((column, n) => ({ ...column, name: names[n] ?? column.name }))
}

/** The result of a query as an entry: its columns were read within it. */
export function entryOf(
  result: Result,
  alias: string | undefined,
  names: readonly string[] = [],
): RangeEntry {
  const columns = renamed(result.columns, names).map((column) => ({ ...column, reads: [] }))
  return new RangeEntry({ alias, columns, open: result.open, locks: result.locks ?? [] })
}
