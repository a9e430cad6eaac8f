import { LRUCache } from 'lru-cache'
import type { ByteMask, Mask, MaskedClass, ValueKind } from '../access/masking.ts'
import { bucket } from './bucket.ts'
import { KeyedHash } from './keyed-hash.ts'
import { maskJson } from './mask-json.ts'
import { partial } from './partial.ts'
import { redact, redactedAs } from './redact.ts'
import { starsOf } from './star-bytes.ts'
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
  const { apply: change, restore } = changeFor(dataClass, keys)
  const mask: Mask = {
    ...(restore === undefined ? {} : { restore }),
    dataClass: dataClass.name,
    method: dataClass.mask.method,
    apply: (value, kind) =>
      kind === 'json' && inShape(dataClass) ? maskJson(value, mask) : change(value, kind),
    onBytes: (kind) => onBytes(dataClass, kind),
  }
  return mask
}

/**
 * The mask for what was computed from values of a class: a constant, or nothing. A part of `substr(ssn, 1, 8)`, or the token
 * of one digit, would give the value away piece by piece.
 */
export function maskForDerived(dataClass: MaskedClass): Mask {
  const method = dataClass.mask.method === 'null' ? 'null' : 'redact'
  const changed: MaskedClass = { name: dataClass.name, mask: { method } }
  return {
    dataClass: dataClass.name,
    method,
    apply: (value, kind) => (method === 'null' ? null : redact(value, kind)),
    onBytes: (kind) => onBytes(changed, kind),
  }
}

function onBytes({ mask }: MaskedClass, kind: ValueKind): ByteMask | undefined {
  switch (mask.method) {
    case 'null':
      return { form: 'constant', value: null }
    case 'redact': {
      const value = redactedAs(kind)
      return value === undefined ? undefined : { form: 'constant', value }
    }
    case 'partial': {
      const star = kind === 'text' ? starsOf(mask.keep) : undefined
      return star && { form: 'stars', star }
    }
    case 'hash':
    case 'token':
    case 'truncate':
    case 'bucket':
      return undefined
  }
}

/** JSON is masked leaf by leaf where its leaves keep some meaning. */
function inShape({ mask }: MaskedClass): boolean {
  return mask.method !== 'redact' && mask.method !== 'null'
}

function changeFor({ name, mask }: MaskedClass, keys: MaskKeys): Pick<Mask, 'apply' | 'restore'> {
  switch (mask.method) {
    case 'redact':
      return { apply: redact }
    case 'null':
      return { apply: () => null }
    case 'partial':
      return { apply: (value, kind) => partial(value, kind, mask.keep) }
    case 'truncate':
      return { apply: (value, kind) => truncateDate(value, kind, mask.to) }
    case 'bucket':
      return { apply: (value, kind) => bucket(value, kind, mask.size) }
    case 'hash': {
      const hash = new KeyedHash(keys(`hash ${name}`))
      return { apply: remembered((value, kind) => hash.hash(value, kind)) }
    }
    case 'token': {
      const tokens = new Tokens(keys(`token ${name}`))
      return {
        apply: remembered((value, kind) => tokens.tokenise(value, kind)),
        restore: (token, kind) => tokens.detokenise(token, kind),
      }
    }
  }
}

/** Values that come again and again, as foreign keys and e-mails do in joins. Half a megabyte a class at most. */
const REMEMBERED = 4096
const LONGEST_REMEMBERED = 64

function remembered(change: (value: string, kind: ValueKind) => string | null): Mask['apply'] {
  const known = new LRUCache<string, { readonly masked: string | null }>({ max: REMEMBERED })
  return (value, kind) => {
    if (value.length > LONGEST_REMEMBERED) return change(value, kind)
    const key = `${kind} ${value}`
    let found = known.get(key)
    if (found === undefined) {
      found = { masked: change(value, kind) }
      known.set(key, found)
    }
    return found.masked
  }
}
