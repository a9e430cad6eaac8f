import { Client, DatabaseError } from 'pg'
import type { SampledColumn } from './gateway-module.ts'
import type { TargetAccess } from './target-access.ts'

/** Those that the session's role may read something of: the information schema leaves out the others. */
const COLUMNS = `
  SELECT c.table_schema, c.table_name, c.column_name, c.data_type
  FROM information_schema.columns c
  JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
  WHERE t.table_type IN ('BASE TABLE', 'FOREIGN')
    AND c.table_schema NOT IN ('pg_catalog', 'information_schema')
  ORDER BY c.table_schema, c.table_name, c.ordinal_position`

/** Of a value; what comes after it is not looked at, and a document of a gigabyte would not fit into memory. */
const LONGEST = 2000

type Rows = readonly (readonly (string | null)[])[]

/**
 * Lists the columns that the caller may see, with some of their values, in one session of the caller's.
 * @param most rows of each table; 0 reads none
 * @param say told which columns could not be read, and why
 * @throws pg.DatabaseError when the columns cannot be listed
 */
export async function sampleColumns(
  { endpoint, ticket }: TargetAccess,
  most: number,
  say: (line: string) => void,
): Promise<SampledColumn[]> {
  const client = new Client({
    host: endpoint.host,
    port: endpoint.port,
    user: ticket.user,
    database: ticket.database,
    password: ticket.secret,
    ssl: false,
    application_name: 'sallyport classify',
    types: { getTypeParser: () => (value: string) => value },
  })
  // Losing the connection also fails the query that runs: this only keeps it from being an uncaught event.
  client.on('error', () => {})
  await client.connect()
  try {
    const tables = new Map<string, SampledColumn[]>()
    for (const [schema, table, column, type] of await rowsOf(client, COLUMNS)) {
      if (schema == null || table == null || column == null || type == null) continue
      const name = `${quoted(schema)}.${quoted(table)}`
      const columns = tables.get(name) ?? []
      columns.push({ schema, table, column, type, samples: undefined })
      tables.set(name, columns)
    }
    const sampled: SampledColumn[] = []
    for (const [name, columns] of tables) {
      sampled.push(...(most === 0 ? columns : await withSamples(client, name, columns, most, say)))
    }
    return sampled
  } finally {
    await client.end()
  }
}

/** All columns in one statement; where that is refused, each by itself, since it may be about one of them. */
async function withSamples(
  client: Client,
  table: string,
  columns: readonly SampledColumn[],
  most: number,
  say: (line: string) => void,
): Promise<readonly SampledColumn[]> {
  const list = columns.map(({ column }) => `left(${quoted(column)}::text, ${LONGEST})`).join(', ')
  try {
    const rows = await rowsOf(client, `SELECT ${list} FROM ${table} LIMIT ${most}`)
    return columns.map((column, i) => ({ ...column, samples: valuesOf(rows, i) }))
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    if (columns.length > 1) {
      const each: SampledColumn[] = []
      for (const column of columns) each.push(...(await withSamples(client, table, [column], most, say)))
      return each
    }
    say(`${table}: ${columns[0]?.column ?? ''} could not be read: ${error.message}`)
    return columns
  }
}

function valuesOf(rows: Rows, index: number): string[] {
  return rows.flatMap((row) => {
    const value = row[index]
    return value == null || value === '' ? [] : [value]
  })
}

async function rowsOf(client: Client, sql: string): Promise<Rows> {
  const { rows } = await client.query<(string | null)[]>({ text: sql, rowMode: 'array' })
  return rows
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
