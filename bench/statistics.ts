/** A middle and how far the values lie apart. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The value below which the share `q` of all lies; NaN of none. `sorted` is in ascending order. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

export function ascending(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b)
}

export function median(values: readonly number[]): number {
  const sorted = ascending(values.filter((value) => !Number.isNaN(value)))
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

export function spread(values: readonly number[]): Spread {
  const known = ascending(values.filter((value) => !Number.isNaN(value)))
  return { median: median(known), min: known[0] ?? Number.NaN, max: known.at(-1) ?? Number.NaN }
}

/**
 * Ratios of values that were measured in the same round. What slows the whole machine down for a while slows both down,
 * and falls out; a ratio of two medians would not have that.
 */
export function pairedRatios(values: readonly number[], base: readonly number[]): Spread {
  return spread(values.map((value, round) => value / (base[round] ?? Number.NaN)))
}

/** The slope of the straight line through the points that misses them least. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const mean = (pick: (point: { x: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length
  const [x, y] = [mean((p) => p.x), mean((p) => p.y)]
  const covariance = points.reduce((sum, p) => sum + (p.x - x) * (p.y - y), 0)
  return covariance / points.reduce((sum, p) => sum + (p.x - x) ** 2, 0)
}

/** A new order each time, so that nobody always comes after the same one. */
export function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value)
}
