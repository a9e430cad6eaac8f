import Table from 'cli-table3'
import { stringify } from 'yaml'

export const FORMATS = ['table', 'json', 'jsonl', 'yaml'] as const
export type Format = (typeof FORMATS)[number]

/** A column of a table for people: its heading, and what it shows of a row. */
export interface Column<Row> {
  readonly heading: string
  readonly show: (row: Row) => string
  readonly align?: 'right'
}

// cli-table3's frame, part by part: nothing but two spaces between columns.
const NO_FRAME = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
  ]
    .concat(['mid', 'mid-mid', 'right', 'right-mid'])
    .map((part) => [part, '']),
)

/**
 * A list in the form that was asked for. The table shows the chosen columns; every other form has the rows whole.
 * @returns text that ends in a newline; nothing at all for an empty list in `jsonl`
 */
export function listText<Row>(rows: readonly Row[], columns: readonly Column<Row>[], format: Format): string {
  if (format === 'json') return `${JSON.stringify(rows, null, 2)}\n`
  if (format === 'jsonl') return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  if (format === 'yaml') return stringify(rows)
  return tableText(
    columns.map((column) => ({ heading: column.heading, right: column.align === 'right' })),
    rows.map((row) => columns.map((column) => column.show(row))),
  )
}

/** Rows of text under headings, aligned, without borders. Control characters are shown, never sent to the terminal. */
export function tableText(
  columns: readonly { readonly heading: string; readonly right?: boolean }[],
  rows: readonly (readonly string[])[],
): string {
  const table = new Table({
    head: columns.map(({ heading }) => visible(heading)),
    colAligns: columns.map(({ right }) => (right ? 'right' : 'left')),
    chars: { ...NO_FRAME, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) table.push(row.map(visible))
  return `${table.toString().replaceAll(/ +$/gm, '')}\n`
}

/** One thing in the form that was asked for; `human` is what the table form prints. */
export function thingText(thing: object, human: string, format: Format): string {
  if (format === 'json') return `${JSON.stringify(thing, null, 2)}\n`
  if (format === 'jsonl') return `${JSON.stringify(thing)}\n`
  if (format === 'yaml') return stringify(thing)
  return human
}

/**
 * Text as it may go to a terminal. What a database or an agent wrote could otherwise move the cursor, retitle the window
 * or hide what comes after it.
 */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => {
    if (character === '\n') return '↵'
    if (character === '\t') return '    '
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
