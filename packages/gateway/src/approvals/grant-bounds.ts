/** How far an approval reaches beyond the one statement that was shown. */
export interface GrantWish {
  readonly kind: 'pattern' | 'connection'
  /** How long it lasts from when it is granted. */
  readonly seconds: number
  /** Uses at most. Left out: any number until the deadline. */
  readonly maxUses?: number
  /** Of a pattern: what may differ from what was shown. Parameters that are not named stay the same. */
  readonly parameters?: readonly ParameterBound[]
  /** Of a pattern: literals in the text may differ, as long as the shape is the same. */
  readonly anyLiterals?: boolean
}

/** What one parameter (`$1` is 1) may be. */
export type ParameterBound =
  | { readonly number: number; readonly any: true }
  | { readonly number: number; readonly oneOf: readonly string[] }
  | { readonly number: number; readonly min: number; readonly max: number }

/**
 * What several approvers granted together: as wide as the narrowest of them meant it. Undefined: the one statement, once,
 * because one of them said no more than that, or they meant different things.
 */
export function narrowest(wishes: readonly (GrantWish | undefined)[]): GrantWish | undefined {
  const [first, ...others] = wishes
  let common = first
  for (const wish of others) common = narrower(common, wish)
  return common
}

function narrower(a: GrantWish | undefined, b: GrantWish | undefined): GrantWish | undefined {
  if (a === undefined || b === undefined || a.kind !== b.kind) return undefined
  const uses = [a.maxUses, b.maxUses].filter((count) => count !== undefined)
  const most = uses.length === 0 ? {} : { maxUses: Math.min(...uses) }
  const shared = { kind: a.kind, seconds: Math.min(a.seconds, b.seconds), ...most }
  if (a.kind === 'connection') return shared
  // Bounds of two people cannot be intersected in general: what only one of them let vary stays as it was shown.
  const parameters = (a.parameters ?? []).filter((bound) => has(b.parameters ?? [], bound))
  return { ...shared, parameters, anyLiterals: a.anyLiterals === true && b.anyLiterals === true }
}

function has(bounds: readonly ParameterBound[], wanted: ParameterBound): boolean {
  const text = JSON.stringify(wanted)
  return bounds.some((bound) => JSON.stringify(bound) === text)
}
