import type { BoundParameter } from '../contract.ts'
import { readCString } from '../wire/cstring.ts'

/** So much of each value is recorded; the rest is said to be missing. */
const MAX_VALUE = 256
/** PostgreSQL's own limit is 65,535; a recording that listed them all could be made longer than the data. */
const MAX_VALUES = 100
/** Most messages have no types, and many no formats: they share this. */
const NONE: readonly number[] = []

export interface BindTarget {
  readonly portal: string
  readonly statement: string
  /** Where the parameter formats begin. */
  readonly next: number
}

/** The names at the head of a Bind body: Byte(portal) 0 Byte(statement) 0 … . Undefined when they do not end before `end`. */
export function readBindTarget(bytes: Buffer, start: number, end: number): BindTarget | undefined {
  const portal = readCString(bytes, start, end)
  if (portal === undefined) return undefined
  const statement = readCString(bytes, portal.next, end)
  return statement && { portal: portal.text, statement: statement.text, next: statement.next }
}

/**
 * The values of a Bind message for the recording, as a JSON array: text as it is, binary as `\x…`, NULL as null.
 *
 *   Int16 n, Int16[n] formats (0 text, 1 binary; none: all text; one: for all)
 *   Int16 n, { Int32 length or -1 for NULL, bytes }[n]
 *
 * Malformed bodies give `[]`: the target refuses them.
 */
export function bindParametersJson(bytes: Buffer, start: number, end: number): string {
  if (start + 2 > end) return '[]'
  const formats = bytes.readUInt16BE(start)
  let at = start + 2 + formats * 2
  if (at + 2 > end) return '[]'
  const count = bytes.readUInt16BE(at)
  if (count === 0) return '[]'
  at += 2
  let json = '['
  for (let i = 0; i < count && i < MAX_VALUES; i++) {
    if (at + 4 > end) return '[]'
    const length = bytes.readInt32BE(at)
    at += 4
    if (i > 0) json += ','
    if (length < 0) {
      json += 'null'
      continue
    }
    if (at + length > end) return '[]'
    const format =
      formats === 0 ? 0 : bytes.readUInt16BE(start + 2 + (formats === 1 ? 0 : Math.min(i, formats - 1)) * 2)
    json += valueJson(bytes, at, length, format)
    at += length
  }
  return count > MAX_VALUES ? `${json},"… ${count - MAX_VALUES} more"]` : `${json}]`
}

/**
 * All parameters of a Bind message, for people to decide about: every value whole.
 * @param start where the formats begin
 * @param types as Parse said them
 * @returns undefined for a malformed body
 */
export function boundParameters(
  bytes: Buffer,
  start: number,
  end: number,
  types: readonly number[] = [],
): readonly BoundParameter[] | undefined {
  if (start + 2 > end) return undefined
  const formats = bytes.readUInt16BE(start)
  let at = start + 2 + formats * 2
  if (at + 2 > end) return undefined
  const count = bytes.readUInt16BE(at)
  if (formats > 1 && formats !== count) return undefined
  at += 2
  const parameters: BoundParameter[] = []
  for (let i = 0; i < count; i++) {
    if (at + 4 > end) return undefined
    const length = bytes.readInt32BE(at)
    at += 4
    if (length < -1 || at + Math.max(0, length) > end) return undefined
    const format = formats === 0 ? 0 : bytes.readUInt16BE(start + 2 + (formats === 1 ? 0 : i * 2))
    const value = length === -1 ? null : Buffer.from(bytes.subarray(at, at + length))
    parameters.push({ format, type: types[i] ?? 0, value })
    at += Math.max(0, length)
  }
  return parameters
}

/** The OIDs at the end of a Parse message: Int16 n, Int32[n]. Malformed ones give `[]`: the target refuses them. */
export function parameterTypes(bytes: Buffer, start: number, end: number): readonly number[] {
  if (start + 2 > end) return []
  const count = bytes.readUInt16BE(start)
  if (count === 0 || start + 2 + count * 4 > end) return NONE
  const types: number[] = []
  for (let i = 0; i < count; i++) types.push(bytes.readUInt32BE(start + 2 + i * 4))
  return types
}

function valueJson(bytes: Buffer, at: number, length: number, format: number): string {
  const shown = Math.min(length, MAX_VALUE)
  const value =
    format === 1 ? `\\x${bytes.toString('hex', at, at + shown)}` : bytes.toString('utf8', at, at + shown)
  return JSON.stringify(length > shown ? `${value}… ${length} bytes` : value)
}

/**
 * The formats that a Bind asks its results to be in: none for text, one for all columns, or one for each. They are the last
 * thing in it.
 * @param start where the parameter formats begin
 * @returns undefined for a malformed body: the target refuses it
 */
export function readResultFormats(bytes: Buffer, start: number, end: number): readonly number[] | undefined {
  if (start + 2 > end) return undefined
  let at = start + 2 + bytes.readUInt16BE(start) * 2
  if (at + 2 > end) return undefined
  const parameters = bytes.readUInt16BE(at)
  at += 2
  for (let i = 0; i < parameters; i++) {
    if (at + 4 > end) return undefined
    at += 4 + Math.max(bytes.readInt32BE(at), 0)
  }
  if (at + 2 > end) return undefined
  const count = bytes.readUInt16BE(at)
  if (at + 2 + count * 2 !== end) return undefined
  if (count === 0) return NONE
  const formats: number[] = []
  for (let i = 0; i < count; i++) formats.push(bytes.readUInt16BE(at + 2 + i * 2))
  return formats
}
