import { types } from 'pg'

const builtins: Readonly<Record<string, number>> = types.builtins

/** What `pg` has no names for, from PostgreSQL's pg_type.dat: system types that queries on catalogs return, and arrays. */
const FURTHER: readonly (readonly [number, string])[] = [
  [19, 'name'],
  [22, 'int2vector'],
  [30, 'oidvector'],
  [199, 'json[]'],
  [705, 'unknown'],
  [1000, 'bool[]'],
  [1001, 'bytea[]'],
  [1003, 'name[]'],
  [1005, 'int2[]'],
  [1007, 'int4[]'],
  [1009, 'text[]'],
  [1015, 'varchar[]'],
  [1016, 'int8[]'],
  [1021, 'float4[]'],
  [1022, 'float8[]'],
  [1028, 'oid[]'],
  [1041, 'inet[]'],
  [1115, 'timestamp[]'],
  [1182, 'date[]'],
  [1185, 'timestamptz[]'],
  [1231, 'numeric[]'],
  [2249, 'record'],
  [2277, 'anyarray'],
  [2278, 'void'],
  [2951, 'uuid[]'],
  [3807, 'jsonb[]'],
]

/** Names by type OID, for the built-in types; those of extensions and users have other OIDs in every database. */
const NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(builtins).map(([name, oid]) => [oid, name.toLowerCase()] as const),
  ...FURTHER,
])
const NUMBERS: ReadonlySet<string> = new Set(['int2', 'int4', 'oid', 'float4', 'float8'])

export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue }

export function typeName(oid: number): string {
  return NAMES.get(oid) ?? `oid ${oid}`
}

/**
 * A value in PostgreSQL's text format as JSON. What JSON's doubles hold exactly becomes a number, a boolean or a
 * document; everything else stays PostgreSQL's own text, so that no digit of an int8, a numeric or a time is lost.
 */
export function jsonValue(oid: number, text: string | null): JsonValue {
  if (text === null) return null
  const type = typeName(oid)
  if (type === 'bool') return text === 't'
  if (NUMBERS.has(type)) {
    const number = Number(text)
    return Number.isFinite(number) ? number : text
  }
  return type === 'json' || type === 'jsonb' ? document(text) : text
}

/** Numbers that a double would round stay text: `source` is how the document has them (ECMAScript, JSON.parse source text access). */
function document(text: string): JsonValue {
  const exact = (_: string, value: JsonValue, context?: { readonly source?: string }): JsonValue => {
    if (typeof value !== 'number' || Number.isSafeInteger(value) || !Number.isInteger(value)) return value
    return context?.source ?? value
  }
  return JSON.parse(text, exact)
}
