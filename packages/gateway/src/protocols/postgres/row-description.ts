import { SallyportError } from '../../access/errors.ts'

/** One column of a result, as the target describes it. */
export interface ResultColumn {
  readonly name: string
  /** `pg_class.oid` and `pg_attribute.attnum` where it is a column of a relation; 0 where not. */
  readonly relation: number
  readonly number: number
  /** `pg_type.oid` */
  readonly type: number
  /** 0: text, 1: binary. */
  readonly format: number
}

/**
 * The body of a RowDescription: Int16 count, and for each column String(name) Int32(relation) Int16(number) Int32(type)
 * Int16(size) Int32(modifier) Int16(format).
 * @throws SallyportError WIRE_MALFORMED
 */
export function decodeRowDescription(bytes: Buffer, start: number, end: number): readonly ResultColumn[] {
  if (end - start < 2) throw malformed()
  const count = bytes.readUInt16BE(start)
  const columns: ResultColumn[] = []
  let at = start + 2
  for (let column = 0; column < count; column++) {
    const nul = bytes.indexOf(0, at)
    if (nul < 0 || nul + 19 > end) throw malformed()
    columns.push({
      name: bytes.toString('utf8', at, nul),
      relation: bytes.readUInt32BE(nul + 1),
      number: bytes.readInt16BE(nul + 5),
      type: bytes.readUInt32BE(nul + 7),
      format: bytes.readUInt16BE(nul + 17),
    })
    at = nul + 19
  }
  if (at !== end) throw malformed()
  return columns
}

function malformed(): SallyportError {
  return new SallyportError(
    'WIRE_MALFORMED',
    'the target broke the protocol: it sent an unreadable RowDescription',
  )
}
