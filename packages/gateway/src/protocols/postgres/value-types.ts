import type { ValueKind } from '../../access/masking.ts'
import { inet } from './binary-inet.ts'
import { NUMERIC } from './binary-numeric.ts'
import { DATE, TIME, timestamp, TIMETZ } from './binary-times.ts'
import { type BinaryCodec, BOOL, BYTEA, FLOAT4, FLOAT8, integer, JSONB, TEXT, UUID } from './binary-values.ts'

/** A type whose values can be taken apart and put together again. */
export interface ScalarType {
  readonly kind: Exclude<ValueKind, 'other'>
  readonly binary: BinaryCodec
}

/** What stands in a column. `other` is anything that is not known here: enums, ranges, types of extensions. */
export type ValueType =
  | { readonly form: 'scalar'; readonly type: ScalarType }
  | { readonly form: 'array'; readonly element: ScalarType }
  | { readonly form: 'record' }
  | { readonly form: 'other' }

const OTHER: ValueType = { form: 'other' }

/** Names as `format_type` writes them, OIDs of the type and of its array (pg_type.dat), and what its values are. */
const BUILT_IN: readonly (readonly [string, number, number, ScalarType['kind'], BinaryCodec])[] = [
  ['boolean', 16, 1000, 'boolean', BOOL],
  ['bytea', 17, 1001, 'bytea', BYTEA],
  ['name', 19, 1003, 'text', TEXT],
  ['bigint', 20, 1016, 'integer', integer(8)],
  ['smallint', 21, 1005, 'integer', integer(2)],
  ['integer', 23, 1007, 'integer', integer(4)],
  ['text', 25, 1009, 'text', TEXT],
  ['oid', 26, 1028, 'integer', integer(4, false)],
  ['json', 114, 199, 'json', TEXT],
  ['xml', 142, 143, 'text', TEXT],
  ['cidr', 650, 651, 'inet', inet(true)],
  ['real', 700, 1021, 'float', FLOAT4],
  ['double precision', 701, 1022, 'float', FLOAT8],
  ['unknown', 705, 0, 'text', TEXT],
  ['inet', 869, 1041, 'inet', inet(false)],
  ['character', 1042, 1014, 'text', TEXT],
  ['character varying', 1043, 1015, 'text', TEXT],
  ['date', 1082, 1182, 'date', DATE],
  ['time without time zone', 1083, 1183, 'time', TIME],
  ['timestamp without time zone', 1114, 1115, 'timestamp', timestamp(false)],
  ['timestamp with time zone', 1184, 1185, 'timestamp', timestamp(true)],
  ['time with time zone', 1266, 1270, 'time', TIMETZ],
  ['numeric', 1700, 1231, 'numeric', NUMERIC],
  ['refcursor', 1790, 2201, 'text', TEXT],
  ['cstring', 2275, 1263, 'text', TEXT],
  ['uuid', 2950, 2951, 'uuid', UUID],
  ['jsonb', 3802, 3807, 'json', JSONB],
]

/** The pseudo-type of row values. */
const RECORD = 2249

const BY_OID: ReadonlyMap<number, ValueType> = new Map<number, ValueType>([
  ...BUILT_IN.flatMap(([, oid, array, kind, binary]): [number, ValueType][] => {
    const type = { kind, binary }
    return [
      [oid, { form: 'scalar', type }],
      [array, { form: 'array', element: type }],
    ]
  }),
  [RECORD, { form: 'record' }],
  [0, OTHER],
])

const SCALARS: ReadonlyMap<number, ScalarType> = new Map(
  BUILT_IN.map(([, oid, , kind, binary]) => [oid, { kind, binary }]),
)

const OIDS: ReadonlyMap<string, number> = new Map(
  BUILT_IN.flatMap(([name, oid, array]): [string, number][] => [
    [name, oid],
    [`${name}[]`, array],
  ]),
)

/** By `pg_type.oid`. RowDescription has a domain's base type already. */
export function typeOfOid(oid: number): ValueType {
  return BY_OID.get(oid) ?? OTHER
}

/** The type of an array's elements, as the array itself says it. */
export function scalarOfOid(oid: number): ScalarType | undefined {
  return SCALARS.get(oid)
}

/** By its name as `format_type` writes it, modifiers and all: `character varying(80)`, `numeric(10,2)[]`. */
export function typeNamed(name: string): ValueType {
  return typeOfOid(OIDS.get(name.replace(/\(\d+(?:,-?\d+)?\)/, '')) ?? 0)
}
