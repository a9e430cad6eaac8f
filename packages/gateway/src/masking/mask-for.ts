import type { Mask, MaskedClass, ValueKind } from '../access/masking.ts'
import { bucket } from './bucket.ts'
import { KeyedHash } from './keyed-hash.ts'
import { maskJson } from './mask-json.ts'
import { partial } from './partial.ts'
import { redact } from './redact.ts'
import { Tokens } from './tokens.ts'
import { truncateDate } from './truncate-date.ts'

/**
 * Gives the key for a purpose: 32 bytes, the same for the same purpose, as `deriveKey` makes them from the installation's
 * master key. One per tenant: values of different tenants must not be comparable.
 */
export type MaskKeys = (purpose: string) => Buffer

/**
 * The mask of a data class, for values that are a column's own, unchanged. Keep it for as long as the resources: it holds
 * tables that are costly to make. For values that were computed, `maskForDerived`.
 */
export function maskFor(dataClass: MaskedClass, keys: MaskKeys): Mask {
  const change = changeFor(dataClass, keys)
  const mask: Mask = {
    dataClass: dataClass.name,
    method: dataClass.mask.method,
    apply: (value, kind) =>
      kind === 'json' && inShape(dataClass) ? maskJson(value, mask) : change(value, kind),
  }
  return mask
}

/**
 * The mask for what was computed from values of a class: a constant, or nothing. A part of `substr(ssn, 1, 8)`, or the token
 * of one digit, would give the value away piece by piece.
 */
export function maskForDerived(dataClass: MaskedClass): Mask {
  const method = dataClass.mask.method === 'null' ? 'null' : 'redact'
  return {
    dataClass: dataClass.name,
    method,
    apply: (value, kind) => (method === 'null' ? null : redact(value, kind)),
  }
}

/**
 * Turns a token of a class back.
 * @returns undefined when the class has no tokens, or the text cannot be one of them: then it is what it says
 */
export function detokenise(
  dataClass: MaskedClass,
  keys: MaskKeys,
): (token: string, kind: ValueKind) => string | undefined {
  if (dataClass.mask.method !== 'token') return () => undefined
  const tokens = new Tokens(keys(`token ${dataClass.name}`))
  return (token, kind) => tokens.detokenise(token, kind)
}

/** JSON is masked leaf by leaf where its leaves keep some meaning. */
function inShape({ mask }: MaskedClass): boolean {
  return mask.method !== 'redact' && mask.method !== 'null'
}

function changeFor(
  { name, mask }: MaskedClass,
  keys: MaskKeys,
): (value: string, kind: ValueKind) => string | null {
  switch (mask.method) {
    case 'redact':
      return redact
    case 'null':
      return () => null
    case 'partial':
      return (value, kind) => partial(value, kind, mask.keep)
    case 'truncate':
      return (value, kind) => truncateDate(value, kind, mask.to)
    case 'bucket':
      return (value, kind) => bucket(value, kind, mask.size)
    case 'hash': {
      const hash = new KeyedHash(keys(`hash ${name}`))
      return (value, kind) => hash.hash(value, kind)
    }
    case 'token': {
      const tokens = new Tokens(keys(`token ${name}`))
      return (value, kind) => tokens.tokenise(value, kind)
    }
  }
}
