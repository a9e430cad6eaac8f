import type { ValueKind } from '../access/masking.ts'
import { redact } from './redact.ts'

/**
 * A number moved towards zero to a multiple of `size`; so it stays in its type's range. Every value of a bucket gives the same
 * answer, however often it is asked for: noise would average out.
 */
export function bucket(value: string, kind: ValueKind, size: number): string | null {
  if (kind === 'float') {
    const number = Number(value)
    return Number.isFinite(number) ? String(Math.trunc(number / size) * size) : redact(value, kind)
  }
  if (kind !== 'integer' && kind !== 'numeric' && kind !== 'text') return redact(value, kind)
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d{1,1000})(?:\.(\d{1,1000}))?$/.exec(value) ?? []
  if (whole === '') return redact(value, kind)
  const scale = fraction.length
  const unscaled = BigInt(whole + fraction)
  const step = scaled(size, scale)
  const digits = (unscaled - (unscaled % step)).toString().padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return /[1-9]/.test(text) ? sign + text : text
}

/** The size in units of the last decimal; at least one of them. */
function scaled(size: number, scale: number): bigint {
  const [whole = '0', fraction = ''] = size.toFixed(6).split('.')
  const step = BigInt(whole + fraction.padEnd(scale, '0').slice(0, scale))
  return step > 0n ? step : 1n
}
