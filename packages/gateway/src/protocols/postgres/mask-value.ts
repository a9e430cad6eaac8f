import type { ByteMask, Mask } from '../../access/masking.ts'
import { maskArrayBinary, maskArrayText } from './mask-array.ts'
import { emptyRecordBinary, emptyRecordText } from './mask-record.ts'
import type { ScalarType, ValueType } from './value-types.ts'

/** What stands in a value's place: its bytes, or as text that is sent as UTF-8; null for NULL; undefined: the value itself. */
export type Replacement = string | Buffer | null | undefined

/**
 * Masks one value that is not NULL.
 * @throws whatever the mask throws, and RangeError for bytes that are no value of their type: the value must not go out then
 */
export type MaskValue = (bytes: Buffer, start: number, end: number) => Replacement

/**
 * How a column's values are masked.
 * @param format 0: text, 1: binary ("Formats and Format Codes")
 */
export function valueMasker(mask: Mask, type: ValueType, format: number): MaskValue {
  const isBinary = format === 1
  switch (type.form) {
    case 'scalar':
      return isBinary ? binaryScalar(mask, type.type) : textScalar(mask, type.type)
    case 'array':
      return isBinary
        ? (bytes, start, end) =>
            maskArrayBinary(bytes, start, end, (value, { kind }) => mask.apply(value, kind))
        : (bytes, start, end) =>
            maskArrayText(utf8(bytes, start, end), type.element, (value, { kind }) => mask.apply(value, kind))
    case 'record':
      return isBinary ? emptyRecordBinary : (bytes, start, end) => emptyRecordText(utf8(bytes, start, end))
    case 'other':
      // The one value that every type has.
      return () => null
  }
}

/**
 * The same without a text for each value, where the mask knows how: undefined where it does not.
 * @param format as in `valueMasker`; the binary form of a text is the text
 */
export function byteMasker(mask: Mask, type: ValueType, format: number): ByteMask | undefined {
  if (type.form !== 'scalar') return undefined
  const { kind } = type.type
  return format === 0 || kind === 'text' ? mask.onBytes?.(kind) : undefined
}

function textScalar(mask: Mask, { kind }: ScalarType): MaskValue {
  return (bytes, start, end) => mask.apply(utf8(bytes, start, end), kind)
}

function binaryScalar(mask: Mask, { kind, binary }: ScalarType): MaskValue {
  return (bytes, start, end) => {
    const masked = mask.apply(binary.decode(bytes, start, end), kind)
    return masked === null ? null : binary.encode(masked)
  }
}

/**
 * How sensitive values are looked for in a column without a mask of its own, or undefined where its type holds none: only
 * texts and documents are looked at, and what may be made of them.
 */
export function valueDetector(detector: Mask, type: ValueType, format: number): MaskValue | undefined {
  switch (type.form) {
    case 'scalar':
      return isSearched(type.type) ? detectScalar(detector, type.type, format) : undefined
    case 'array':
      return isSearched(type.element) ? detectWhole(detector, type, format) : undefined
    case 'record':
    case 'other':
      return detectWhole(detector, type, format)
  }
}

function isSearched({ kind }: ScalarType): boolean {
  return kind === 'text' || kind === 'json'
}

function detectScalar(detector: Mask, { kind, binary }: ScalarType, format: number): MaskValue {
  return (bytes, start, end) => {
    const value = format === 1 ? binary.decode(bytes, start, end) : utf8(bytes, start, end)
    const found = detector.apply(value, kind)
    if (found === value) return undefined
    return format === 1 && found !== null ? binary.encode(found) : found
  }
}

/** Of a value that is made of others, what is found anywhere in it decides. */
function detectWhole(detector: Mask, type: ValueType, format: number): MaskValue {
  const masked = valueMasker(detector, type, format)
  return (bytes, start, end) => {
    const text = utf8(bytes, start, end)
    return detector.apply(text, 'text') === text ? undefined : masked(bytes, start, end)
  }
}

function utf8(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, end)
}
