import type { Mask } from '../access/masking.ts'
import { scanJson, stringOf } from './json-scan.ts'
import type { JsonLeaf } from './json-scan.ts'
import { REDACTED } from './redact.ts'

/** The keys that lead to a value, from the outside in. Elements of arrays have the path of their array. */
export type JsonPath = readonly string[]

export interface JsonMasking {
  /** What to mask, with all that is below it; left out: everything. */
  readonly paths?: readonly JsonPath[]
  /** Keys that are known not to be data. Others are replaced inside of what is masked: a key can be a value as well. */
  readonly keepsKey?: (key: string) => boolean
}

/**
 * Reads `$.address.zip`, `address.zip`, `cards[*].number` or `$["e-mail"]`. What stands in brackets after an array is passed
 * over, since all of its elements are meant.
 * @returns undefined when it is no path
 */
export function readJsonPath(text: string): JsonPath | undefined {
  const step = /\.?([\p{L}_][\p{L}\p{N}_-]*)|\["((?:[^"\\]|\\.)*)"\]|(\[(?:\*|\d*)\])/uy
  step.lastIndex = text.startsWith('$') ? 1 : 0
  const path: string[] = []
  while (step.lastIndex < text.length) {
    const found = step.exec(text)
    if (found === null) return undefined
    const quoted = found[2] === undefined ? undefined : stringOf(`"${found[2]}"`, whole(found[2].length + 2))
    const key = found[1] ?? quoted
    if (key !== undefined) path.push(key)
    else if (found[3] === undefined) return undefined
  }
  return text === '' ? undefined : path
}

/**
 * Masks the values in a JSON text: strings as text, numbers as numbers, booleans become false or null, null stays null.
 * Arrays and objects keep their shape, and what is not masked stays as it is written.
 * @returns JSON; a constant when the text could not be read as JSON
 */
export function maskJson(text: string, mask: Mask, { paths, keepsKey }: JsonMasking = {}): string {
  const isMasked = (path: JsonPath): boolean =>
    paths === undefined || paths.some((one) => isWithin(path, one))
  let masked = ''
  let copied = 0
  const replace = (leaf: JsonLeaf, by: string): void => {
    masked += text.slice(copied, leaf.start) + by
    copied = leaf.end
  }
  const isJson = scanJson(text, {
    leaf: (leaf, path) => {
      if (leaf.kind !== 'null' && isMasked(path)) replace(leaf, maskedLeaf(text, leaf, mask))
    },
    key: (key, leaf, path, position) => {
      // The key that a path ends in is named by the path itself.
      if (isMasked(path.slice(0, -1)) && keepsKey?.(key) !== true) replace(leaf, `"key${position}"`)
    },
  })
  return isJson ? masked + text.slice(copied) : JSON.stringify(REDACTED)
}

function isWithin(path: JsonPath, outer: JsonPath): boolean {
  return outer.length <= path.length && outer.every((key, i) => path[i] === key)
}

function maskedLeaf(text: string, leaf: JsonLeaf, mask: Mask): string {
  const written = text.slice(leaf.start, leaf.end)
  if (leaf.kind === 'string') return JSON.stringify(mask.apply(stringOf(text, leaf) ?? '', 'text'))
  if (leaf.kind === 'number') return mask.apply(written, /[eE]/.test(written) ? 'float' : 'numeric') ?? 'null'
  const boolean = mask.apply(written === 'true' ? 't' : 'f', 'boolean')
  return boolean === null ? 'null' : String(boolean === 't')
}

function whole(length: number): JsonLeaf {
  return { kind: 'string', start: 0, end: length }
}
