import { Command } from 'commander'
import { contextOf, withGatewayOptions, withOutputOption, type CommandContext } from '../command-context.ts'
import { usage } from '../failure.ts'
import { jsonRow } from '../json-value.ts'
import { tableText, thingText } from '../output.ts'
import { runSql, type SqlColumn, type StatementEnd } from '../run-sql.ts'
import type { GlobalOptions } from '../settings.ts'
import { sqlFailure } from '../sql-failure.ts'
import { openTarget } from '../target-access.ts'
import { print, tell, type World } from '../world.ts'

// What a screen or a model's context can still take in; also what we hold in memory for a table.
const DEFAULT_MAX_ROWS = 1000

interface QueryOptions extends GlobalOptions {
  readonly param: readonly string[]
  readonly maxRows: number
  readonly purpose?: string
}

interface ResultSet {
  readonly columns: readonly SqlColumn[]
  readonly rows: (readonly (string | null)[])[]
}

export function queryCommand(world: World): Command {
  const command = new Command('query')
    .description('run SQL on a target and print the rows')
    .argument('<target>', 'name of the target')
    .argument('[sql]', 'the SQL; - or nothing reads it from stdin')
    .option(
      '-p, --param <value>',
      'value of $1, then $2, …; may be repeated',
      (value, all: string[]) => [...all, value],
      [],
    )
    .option('--max-rows <count>', 'most rows to print; 0 for all', wholeNumber, DEFAULT_MAX_ROWS)
    .option('--purpose <text>', 'what it is for; goes on the record and to policy')
    .action((target: string, sql: string | undefined, options: QueryOptions) =>
      query(world, target, sql, options),
    )
  return withOutputOption(withGatewayOptions(command))
}

async function query(
  world: World,
  target: string,
  typed: string | undefined,
  options: QueryOptions,
): Promise<void> {
  const context = await contextOf(world, options)
  const sql = typed === undefined || typed === '-' ? await allOf(world) : typed
  if (sql.trim() === '') throw usage('there is no SQL to run', `sallyport query ${target} "SELECT 1"`)
  await using access = await openTarget(world, context.api, { target, purpose: options.purpose })
  const { ticket, endpoint } = access
  const sets: ResultSet[] = []
  const { truncated, ends } = await runSql(
    endpoint,
    { user: ticket.user, database: ticket.database, password: ticket.secret },
    { sql, parameters: options.param },
    options.maxRows,
    (columns, values) => {
      if (context.format === 'jsonl') return print(world, `${JSON.stringify(jsonRow(columns, values))}\n`)
      // Rows of one result share their description.
      const last = sets.at(-1)
      if (last?.columns === columns) last.rows.push(values)
      else sets.push({ columns, rows: [values] })
      return undefined
    },
  ).catch((error: unknown) => {
    throw sqlFailure(error, target)
  })
  await show(context, sets, ends)
  if (truncated) tell(world, `truncated: there are more than ${options.maxRows} rows (--max-rows)`)
}

async function show(
  { world, format }: CommandContext,
  sets: ResultSet[],
  ends: readonly StatementEnd[],
): Promise<void> {
  if (format === 'jsonl') return
  if (format !== 'table') {
    const rows = sets.flatMap((set) => set.rows.map((row) => jsonRow(set.columns, row)))
    return print(world, thingText(rows, '', format))
  }
  for (const [n, { columns, rows }] of sets.entries()) {
    const table = tableText(
      columns.map(headingOf),
      rows.map((row) => row.map((value) => value ?? '∅')),
    )
    await print(world, n === 0 ? table : `\n${table}`)
  }
  if (sets.length === 0)
    for (const { columns } of ends.filter((end) => end.columns.length > 0)) {
      await print(world, tableText(columns.map(headingOf), []))
    }
  for (const { command, count } of ends) {
    tell(world, count === null ? command : `${command} ${count}`)
  }
}

// int2, int4, int8, float4, float8, oid, numeric: lined up by their last digit.
const NUMBERS: ReadonlySet<number> = new Set([21, 23, 20, 700, 701, 26, 1700])

function headingOf(column: SqlColumn): { heading: string; right: boolean } {
  return { heading: column.name, right: NUMBERS.has(column.type) }
}

async function allOf(world: World): Promise<string> {
  if (world.stdin.isTTY) tell(world, 'reading SQL from the keyboard; Ctrl-D ends it')
  let text = ''
  for await (const chunk of world.stdin.setEncoding('utf8')) text += String(chunk)
  return text
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usage(`"${text}" is not a number of rows`, '--max-rows 100')
  return Number(text)
}
