import type { MaskSpec, ValueKind } from '../access/masking.ts'
import { coarsenInet } from './inet.ts'
import { redact } from './redact.ts'
import { truncateDate } from './truncate-date.ts'

type Keep = Extract<MaskSpec, { method: 'partial' }>['keep']

const KEPT = 4
const ALPHANUMERIC = /[\p{L}\p{M}\p{N}]/gu
const WORD = /(?<![\p{L}\p{M}\p{N}])([\p{L}\p{N}])([\p{L}\p{M}\p{N}]*)/gu

/** Shows a little of a value: what a person needs to recognise it, and never more than half. */
export function partial(value: string, kind: ValueKind, keep: Keep): string | null {
  switch (kind) {
    case 'text':
      return partialText(value, keep)
    case 'integer':
      return keep === 'last4' ? lastDigits(value) : redact(value, kind)
    case 'date':
    case 'timestamp':
      return truncateDate(value, kind, 'year')
    case 'inet':
      return coarsenInet(value)
    case 'uuid':
      return `00000000-0000-0000-0000-00000000${value.slice(-KEPT)}`
    case 'numeric':
    case 'float':
    case 'boolean':
    case 'time':
    case 'json':
    case 'bytea':
    case 'other':
      return redact(value, kind)
  }
}

function partialText(value: string, keep: Keep): string {
  if (keep === 'domain') {
    const at = value.lastIndexOf('@')
    const domain = value.slice(at + 1)
    // Only where there is one mailbox: what else stands in the field, or behind a second "@", is nobody's domain.
    const isAddress = at > 0 && value.indexOf('@') === at && /^[\w.-]+\.[A-Za-z]{2,}$/.test(domain)
    return isAddress ? `****@${domain}` : stars(value)
  }
  if (keep === 'initials') {
    return value.replaceAll(WORD, (_, initial: string, rest: string) =>
      // A word of one letter is hidden whole: showing it would leave nothing of it.
      rest === '' ? '*' : initial + stars(rest),
    )
  }
  if (ASCII.test(value)) return lastOfAscii(value)
  const count = value.match(ALPHANUMERIC)?.length ?? 0
  let hidden = count < 2 * KEPT ? count : count - KEPT
  return value.replaceAll(ALPHANUMERIC, (character) => {
    hidden -= 1
    return hidden >= 0 ? '*' : character
  })
}

const ASCII = /^[ -~]*$/
const PLAIN = /^[A-Za-z0-9]*$/

/** The same for what identifiers are mostly written in, without a call for each character: this runs for every row. */
function lastOfAscii(value: string): string {
  let count = 0
  let from = value.length
  for (let at = value.length - 1; at >= 0 && count < 2 * KEPT; at--) {
    if (!isAlphanumeric(value.charCodeAt(at))) continue
    count += 1
    if (count === KEPT) from = at
  }
  if (count < 2 * KEPT) from = value.length
  const hidden = value.slice(0, from)
  return (PLAIN.test(hidden) ? '*'.repeat(from) : hidden.replaceAll(/[A-Za-z0-9]/g, '*')) + value.slice(from)
}

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
}

function stars(value: string): string {
  return value.replaceAll(ALPHANUMERIC, '*')
}

function lastDigits(value: string): string {
  const digits = value.replace(/^-/, '')
  return /^\d+$/.test(digits) && digits.length >= 2 * KEPT ? String(Number(digits.slice(-KEPT))) : '0'
}
