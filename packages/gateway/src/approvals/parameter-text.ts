import type { KeptParameter } from './ports.ts'

/** OIDs of the types of which a binary value can be shown (PostgreSQL, `pg_type.dat`), and their names. */
const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [16, 'boolean'],
  [17, 'bytea'],
  [20, 'bigint'],
  [21, 'smallint'],
  [23, 'integer'],
  [25, 'text'],
  [26, 'oid'],
  [114, 'json'],
  [700, 'real'],
  [701, 'double precision'],
  [1042, 'character'],
  [1043, 'character varying'],
  [1082, 'date'],
  [1083, 'time'],
  [1114, 'timestamp'],
  [1184, 'timestamptz'],
  [1700, 'numeric'],
  [2950, 'uuid'],
  [3802, 'jsonb'],
])

/** The type's name where it is a common one; otherwise its OID; undefined where the client left it to the target. */
export function typeName(oid: number): string | undefined {
  return oid === 0 ? undefined : (TYPE_NAMES.get(oid) ?? `type ${oid}`)
}

/**
 * A parameter's value in PostgreSQL's text form: null for NULL, undefined for a binary value of a type that is not read
 * here, or one that is not what its type says. Whoever shows it then shows the bytes.
 */
export function valueText({ format, type, value }: KeptParameter): string | null | undefined {
  if (value === null) return null
  const bytes = Buffer.from(value, 'base64')
  if (format === 0) return utf8(bytes)
  if (format !== 1) return undefined
  switch (type) {
    case 16:
      return bytes.length === 1 ? (bytes[0] === 0 ? 'f' : 't') : undefined
    case 20:
      return bytes.length === 8 ? bytes.readBigInt64BE().toString() : undefined
    case 21:
      return bytes.length === 2 ? bytes.readInt16BE().toString() : undefined
    case 23:
      return bytes.length === 4 ? bytes.readInt32BE().toString() : undefined
    case 26:
      return bytes.length === 4 ? bytes.readUInt32BE().toString() : undefined
    case 25:
    case 114:
    case 1042:
    case 1043:
      return utf8(bytes)
    case 2950:
      return bytes.length === 16
        ? bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
        : undefined
    default:
      return undefined
  }
}

/** Undefined for bytes that are no UTF-8: what would be shown in their place is not what is sent. */
function utf8(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined
}
