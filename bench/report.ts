import type { Spread } from './statistics.ts'

/** Plain text in columns. Every row has a cell for every column. */
export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** What has to be known to read it. */
  readonly notes?: readonly string[]
}

/** One of the aims, beside what was measured. */
export interface Aim {
  readonly what: string
  readonly aim: string
  readonly got: string
  readonly met: boolean
}

export interface SectionReport {
  readonly tables: readonly Table[]
  readonly aims: readonly Aim[]
  /** Every single figure, for `--json`. */
  readonly raw: unknown
}

export function formatTable({ title, columns, rows, notes = [] }: Table): string {
  const widths = columns.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [title, '', line(columns), rule, ...rows.map(line), ...notes.map((note) => `  ${note}`), ''].join(
    '\n',
  )
}

export function formatAims(aims: readonly Aim[]): string {
  return formatTable({
    title: 'Aims',
    columns: ['what', 'aim', 'got', 'met'],
    rows: aims.map(({ what, aim, got, met }) => [what, aim, got, met ? 'yes' : 'no']),
  })
}

/** `0.86 (0.80–0.91)` */
export function shown({ median, min, max }: Spread, digits = 2): string {
  if (Number.isNaN(median)) return '–'
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}

export function number(value: number, digits = 0): string {
  return Number.isNaN(value) ? '–' : value.toFixed(digits)
}

/** Tells on stderr what is being done: stdout is for the results. */
export function progress(text: string): void {
  process.stderr.write(`· ${text}\n`)
}
