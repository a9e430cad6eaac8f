/** How long ago, in the largest unit that fits: `12s`, `4m`, `3h`, `2d`. `now` and `at` are epoch milliseconds. */
export function ago(at: number, now: number): string {
  return `${span(Math.max(0, now - at))} ago`
}

/** A length of time for people: `830µs`, `4.1ms`, `1.2s`, `4m 12s`, `3h 5m`, `2d 4h`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1) return `${Math.round(milliseconds * 1000)}µs`
  if (milliseconds < 1000) return `${short(milliseconds)}ms`
  if (milliseconds < 60_000) return `${short(milliseconds / 1000)}s`
  const seconds = Math.round(milliseconds / 1000)
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ')
}

function span(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

function short(value: number): string {
  return value < 10 ? String(Math.round(value * 10) / 10) : String(Math.round(value))
}

/** A count of bytes for people: `812 B`, `4.1 kB`, `12 MB`. */
export function byteCount(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  return `${power === 0 ? bytes : short(bytes / 1000 ** power)} ${units[power] ?? 'B'}`
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds of `90s`, `15m`, `1h` or a bare number of seconds; undefined when it is none of these. */
export function seconds(text: string): number | undefined {
  const match = /^(\d{1,9})(s|m|h|d)?$/.exec(text.trim())
  if (!match) return undefined
  return Number(match[1]) * (UNIT_SECONDS[match[2] ?? 's'] ?? 1)
}
