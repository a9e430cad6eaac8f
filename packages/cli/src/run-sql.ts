import { Client, type FieldDef, Query, type QueryArrayConfig, type QueryResult } from 'pg'
import { usage } from './failure.ts'
import type { LoopbackEndpoint } from './loopback-endpoint.ts'

export interface SqlColumn {
  readonly name: string
  /** OID in pg_type. */
  readonly type: number
}

/**
 * Takes rows as they arrive, every value as PostgreSQL's text; rows of one result come with the same `columns` object. A
 * promise holds up the server until it has settled.
 */
export type RowSink = (
  columns: readonly SqlColumn[],
  values: readonly (string | null)[],
) => Promise<void> | undefined

/** How one statement ended. `columns` is empty for one that returns no rows. */
export interface StatementEnd {
  readonly columns: readonly SqlColumn[]
  /** The command's name, and the rows that it touched where it says so: `UPDATE`, 3. */
  readonly command: string
  readonly count: number | null
}

const AS_TEXT = { getTypeParser: () => (value: string) => value }

/**
 * Runs SQL through an endpoint and hands on rows as they arrive. Without parameters it may be several statements.
 * @param password the ticket
 * @param limit most rows to take over all results; 0 for no limit. The session ends with the first row after that
 * @returns how each statement ended; with `truncated`, of those that had ended by then
 * @throws pg.DatabaseError what the gateway or the target said; CliFailure (usage) for COPY from stdin or to stdout
 */
export async function runSql(
  endpoint: Pick<LoopbackEndpoint, 'host' | 'port'>,
  login: { readonly user: string; readonly database: string; readonly password: string },
  statement: { readonly sql: string; readonly parameters: readonly string[] },
  limit: number,
  sink: RowSink,
): Promise<{ truncated: boolean; ends: StatementEnd[] }> {
  const client = new Client({
    host: endpoint.host,
    port: endpoint.port,
    user: login.user,
    database: login.database,
    password: login.password,
    ssl: false,
    application_name: 'sallyport query',
  })
  // Losing the connection also fails the query that runs: this only keeps it from being an uncaught event.
  client.on('error', () => {})
  await client.connect()
  const { stream } = client.connection
  try {
    return await new Promise((resolve, reject) => {
      let rows = 0
      const config: QueryArrayConfig = {
        text: statement.sql,
        values: [...statement.parameters],
        rowMode: 'array',
        types: AS_TEXT,
      }
      const query = new Query<(string | null)[]>(config)
      let current: { readonly of: unknown; readonly columns: readonly SqlColumn[] } | undefined
      query.on('row', (row, result) => {
        rows += 1
        if (limit > 0 && rows > limit) return resolve({ truncated: true, ends: [] })
        if (current?.of !== result) current = { of: result, columns: result?.fields.map(columnOf) ?? [] }
        const taken = sink(current?.columns ?? [], row)
        if (taken === undefined) return
        stream.pause()
        void taken.finally(() => stream.resume())
      })
      query.on('end', (result) => resolve({ truncated: false, ends: [result].flat().map(endOf) }))
      query.on('error', reject)
      // Left to itself, node-pg throws the data of a COPY away and says that all went well.
      for (const copy of ['copyInResponse', 'copyOutResponse']) {
        client.connection.once(copy, () => reject(copyFailure(login.database)))
      }
      client.query(query)
    })
  } finally {
    // Not a polite Terminate first: after the limit the server would go on sending what nobody wants.
    stream.destroy()
  }
}

function copyFailure(target: string): Error {
  return usage(
    'COPY sends data as a stream, and this command prints rows',
    `SELECT the rows, or let psql copy: sallyport connect ${target} -- -c '\\copy …'`,
  )
}

function columnOf(field: FieldDef): SqlColumn {
  return { name: field.name, type: field.dataTypeID }
}

function endOf(result: QueryResult): StatementEnd {
  return { columns: result.fields.map(columnOf), command: result.command ?? '', count: result.rowCount }
}
