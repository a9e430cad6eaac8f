import { scalarOfOid } from './value-types.ts'
import type { ScalarType } from './value-types.ts'

/** Puts another value, or NULL, in the place of one element. */
export type MaskElement = (value: string, type: ScalarType) => string | null

/** What makes an element be written in quotes (`array_out`). */
const NEEDS_QUOTES = /^$|^null$|["\\{}, \t\n\r\v\f]/i

/**
 * Masks each element of an array in text form, `[0:1]={{1,NULL},{"a b",2}}`: its dimensions and its NULLs stay as they are.
 * @throws RangeError for what is no array
 */
export function maskArrayText(text: string, type: ScalarType, mask: MaskElement): string {
  const open = text.indexOf('{')
  if (open < 0 || (open > 0 && !/^(?:\[-?\d+:-?\d+\])+=$/.test(text.slice(0, open)))) throw noArray()
  let out = text.slice(0, open)
  let depth = 0
  let at = open
  while (at < text.length) {
    const character = text.charAt(at)
    if (character === '{' || character === '}' || character === ',') {
      if (character !== '{' && out.endsWith(',')) throw noArray()
      if (character === ',' && out.endsWith('{')) throw noArray()
      depth += character === '{' ? 1 : character === '}' ? -1 : 0
      out += character
      at++
      if (depth > 0) continue
      if (at !== text.length) throw noArray()
      return out
    }
    const element = readElement(text, at)
    at = element.next
    out += element.value === null ? 'NULL' : written(mask(element.value, type))
  }
  throw noArray()
}

function readElement(text: string, start: number): { readonly value: string | null; readonly next: number } {
  if (text.charAt(start) !== '"') {
    let at = start
    while (at < text.length && !',{}"'.includes(text.charAt(at))) at += text.charAt(at) === '\\' ? 2 : 1
    const raw = text.slice(start, at)
    if (raw === '' || text.charAt(at) === '"') throw noArray()
    return { value: raw === 'NULL' ? null : raw.replaceAll(/\\(.)/gs, '$1'), next: at }
  }
  let at = start + 1
  while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1
  if (at >= text.length) throw noArray()
  return { value: text.slice(start + 1, at).replaceAll(/\\(.)/gs, '$1'), next: at + 1 }
}

function written(value: string | null): string {
  if (value === null) return 'NULL'
  return NEEDS_QUOTES.test(value) ? `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"` : value
}

/** PostgreSQL's own bound (MAXDIM). */
const MAX_DIMENSIONS = 6

/**
 * The same for the binary form (`array_send`): Int32 dimensions, Int32 has NULLs, Int32 element type, for each dimension
 * Int32 size and Int32 first index, then each element with its Int32 length, -1 for NULL.
 * @returns null, which stands for the whole array, when its elements are of a type that is not known
 * @throws RangeError for what is no array
 */
export function maskArrayBinary(bytes: Buffer, start: number, end: number, mask: MaskElement): Buffer | null {
  if (end - start < 12) throw noArray()
  const dimensions = bytes.readInt32BE(start)
  const type = scalarOfOid(bytes.readUInt32BE(start + 8))
  const elements = start + 12 + dimensions * 8
  if (dimensions < 0 || dimensions > MAX_DIMENSIONS || elements > end) throw noArray()
  if (type === undefined) return null
  const head = Buffer.from(bytes.subarray(start, elements))
  const parts: Buffer[] = [head]
  let at = elements
  let hasNull = false
  while (at < end) {
    if (at + 4 > end) throw noArray()
    const length = bytes.readInt32BE(at)
    at += 4
    if (length < -1 || at + length > end) throw noArray()
    const value = length < 0 ? null : mask(type.binary.decode(bytes, at, at + length), type)
    if (value === null) {
      hasNull = true
      parts.push(NULL)
    } else {
      const encoded = type.binary.encode(value)
      const size = Buffer.allocUnsafe(4)
      size.writeInt32BE(encoded.length)
      parts.push(size, encoded)
    }
    at += Math.max(length, 0)
  }
  head.writeInt32BE(hasNull ? 1 : 0, 4)
  return Buffer.concat(parts)
}

const NULL = Buffer.from([255, 255, 255, 255])

function noArray(): RangeError {
  return new RangeError('a value is no array')
}
