import type { TokenParameter } from '../../access/masking.ts'
import { message, FRONTEND } from './messages.ts'
import { maskArrayBinary, maskArrayText } from './mask-array.ts'
import { typeNamed, typeOfOid, type ValueType } from './value-types.ts'

/**
 * A Bind whose parameters hold tokens, with the values that they stand for: Byte1('B') Int32(length) String(portal)
 * String(statement), Int16 n, Int16[n] formats, Int16 n, { Int32 length or -1 for NULL, bytes }[n], result formats.
 * What is no token of its class stays as it is, as does a value that cannot be read: the target refuses it.
 *
 * @param start where the parameter formats begin
 * @param types as Parse said them, by OID
 * @returns undefined where nothing changes
 */
export function restoreTokens(
  bytes: Buffer,
  at: number,
  start: number,
  next: number,
  tokens: readonly TokenParameter[],
  types: readonly number[] = [],
): Buffer | undefined {
  if (start + 2 > next) return undefined
  const formats = bytes.readUInt16BE(start)
  let position = start + 2 + formats * 2
  if (position + 2 > next) return undefined
  const count = bytes.readUInt16BE(position)
  position += 2
  const parts: Buffer[] = []
  let copied = at + 5
  for (let parameter = 0; parameter < count; parameter++) {
    if (position + 4 > next) return undefined
    const length = bytes.readInt32BE(position)
    const value = position + 4
    position = value + Math.max(length, 0)
    if (length < -1 || position > next) return undefined
    const token = length < 0 ? undefined : tokens.find(({ number }) => number === parameter + 1)
    if (token === undefined) continue
    const format = formats === 0 ? 0 : bytes.readUInt16BE(start + 2 + (formats === 1 ? 0 : parameter * 2))
    const restored = restoreValue(bytes.subarray(value, position), format, token, types[parameter] ?? 0)
    if (restored === undefined) continue
    const size = Buffer.allocUnsafe(4)
    size.writeInt32BE(restored.length)
    parts.push(bytes.subarray(copied, value - 4), size, restored)
    copied = position
  }
  if (parts.length === 0) return undefined
  return message(FRONTEND.bind, Buffer.concat([...parts, bytes.subarray(copied, next)]))
}

/** @returns undefined where it is no token */
function restoreValue(value: Buffer, format: number, token: TokenParameter, oid: number): Buffer | undefined {
  const type = oid === 0 ? typeNamed(token.type) : typeOfOid(oid)
  try {
    return format === 1 ? restoreBinary(value, token, type) : restoreText(value.toString('utf8'), token, type)
  } catch (error) {
    // No value of its type: the target says so.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function restoreText(text: string, { mask }: TokenParameter, type: ValueType): Buffer | undefined {
  const whole = type.form === 'scalar' ? mask.restore?.(text, type.type.kind) : undefined
  if (whole !== undefined) return Buffer.from(whole)
  // What is compared by `= ANY ($1)` is a list of values of the column's type.
  const element = type.form === 'array' ? type.element : type.form === 'scalar' ? type.type : undefined
  if (element === undefined || !text.startsWith('{')) return undefined
  const each = maskArrayText(text, element, (value, { kind }) => mask.restore?.(value, kind) ?? value)
  return each === text ? undefined : Buffer.from(each)
}

function restoreBinary(value: Buffer, { mask }: TokenParameter, type: ValueType): Buffer | undefined {
  if (type.form === 'scalar') {
    const { kind, binary } = type.type
    const restored = mask.restore?.(binary.decode(value, 0, value.length), kind)
    return restored === undefined ? undefined : binary.encode(restored)
  }
  if (type.form !== 'array') return undefined
  const each = maskArrayBinary(value, 0, value.length, (one, { kind }) => mask.restore?.(one, kind) ?? one)
  return each === null || each.equals(value) ? undefined : each
}
