import type { SqlColumn } from './run-sql.ts'

// pg_type's OIDs, which are the same on every server.
const BOOL = 16
const INTEGERS: ReadonlySet<number> = new Set([20, 21, 23, 26])
const FLOATS: ReadonlySet<number> = new Set([700, 701])
const JSONS: ReadonlySet<number> = new Set([114, 3802])

/**
 * A value as JSON says it: numbers, booleans and JSON as themselves, everything else as PostgreSQL's text. What a JSON
 * number cannot hold exactly (numeric, large bigint, NaN) stays text.
 */
export function jsonValue(text: string | null, type: number): unknown {
  if (text === null) return null
  if (type === BOOL) return text === 't'
  if (INTEGERS.has(type)) return Number.isSafeInteger(Number(text)) ? Number(text) : text
  if (FLOATS.has(type)) return Number.isFinite(Number(text)) ? Number(text) : text
  if (!JSONS.has(type)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A row as an object. Of columns with one name the later get a number: `id`, `id_2`. */
export function jsonRow(
  columns: readonly SqlColumn[],
  values: readonly (string | null)[],
): Record<string, unknown> {
  // No prototype: a column may be called __proto__.
  const row: Record<string, unknown> = Object.create(null)
  columns.forEach((column, i) => {
    let name = column.name
    for (let n = 2; name in row; n++) name = `${column.name}_${n}`
    row[name] = jsonValue(values[i] ?? null, column.type)
  })
  return row
}
