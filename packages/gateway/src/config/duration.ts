const UNITS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

/** Milliseconds of `30s`, `15m`, `8h`, `500ms`, `7d`; NaN for anything else. */
export function durationMs(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  return digits === '' ? Number.NaN : Number(digits) * (UNITS.get(unit) ?? Number.NaN)
}
