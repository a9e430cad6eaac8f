import type { Connection, FieldDef, Submittable } from 'pg'
import { DatabaseError } from 'pg'
import { SallyportError } from '../../access/errors.ts'
import { type JsonValue, jsonValue, typeName } from './postgres-values.ts'

/** Rows per Execute: few round trips, and little that is read in vain past a limit. */
const BATCH_ROWS = 100

export type Parameter = string | number | boolean | null

export interface QueryResult {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly JsonValue[][]
  /** Rows in `rows`, or, of a statement that returns none, rows it affected. */
  readonly rowCount: number
  /** The command tag: `SELECT 3`, `UPDATE 7`, `BEGIN` … Empty when rows were cut off. */
  readonly tag: string
  /** Which limit cut the rows off. */
  readonly truncated: 'rows' | 'bytes' | undefined
}

export interface Limits {
  readonly maxRows: number
  /** Of values, in the bytes of their JSON. */
  readonly maxBytes: number
}

/**
 * One statement in the extended query protocol ("Message Flow"), whose portal is run some rows at a time and closed once
 * there are enough. It succeeds at ReadyForQuery and not before: a statement can still fail when Sync commits it, after it
 * was reported complete.
 */
export class PortalQuery implements Submittable {
  /** Rejects with DatabaseError, with SallyportError REQUEST_INVALID for COPY, or with Error when the session broke off. */
  readonly result: Promise<QueryResult>
  readonly #settle: { resolve(result: QueryResult): void; reject(error: Error): void }
  readonly #sql: string
  readonly #parameters: readonly Parameter[]
  readonly #limits: Limits
  #fields: readonly FieldDef[] = []
  readonly #rows: JsonValue[][] = []
  #bytes = 0
  #truncated: 'rows' | 'bytes' | undefined
  #tag = ''
  #refusal: Error | undefined
  #synced = false

  constructor(sql: string, parameters: readonly Parameter[], limits: Limits) {
    const { promise, resolve, reject } = Promise.withResolvers<QueryResult>()
    this.result = promise
    this.#settle = { resolve, reject }
    this.#sql = sql
    this.#parameters = parameters
    this.#limits = limits
  }

  /** More than fits was sent, and the session is being ended for it: what came so far is the result. */
  cutOff(): void {
    this.#truncated = 'bytes'
    this.#settle.resolve(this.#result())
  }

  submit(connection: Connection): void {
    const values = this.#parameters.map((value) => (value === null ? null : String(value)))
    connection.parse({ name: '', text: this.#sql, types: [] }, true)
    connection.bind({ portal: '', statement: '', values }, true)
    connection.describe({ type: 'P', name: '' }, true)
    this.#execute(connection)
  }

  handleRowDescription({ fields }: { fields: readonly FieldDef[] }): void {
    this.#fields = fields
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    if (this.#truncated !== undefined) return
    if (this.#rows.length === this.#limits.maxRows) {
      this.#truncated = 'rows'
      return
    }
    const row = fields.map((text, at) => jsonValue(this.#fields[at]?.dataTypeID ?? 0, text))
    this.#bytes += Buffer.byteLength(JSON.stringify(row))
    if (this.#bytes > this.#limits.maxBytes) this.#truncated = 'bytes'
    else this.#rows.push(row)
  }

  handlePortalSuspended(connection: Connection): void {
    if (this.#truncated === undefined) {
      this.#execute(connection)
      return
    }
    connection.close({ type: 'P', name: '' }, true)
    this.#sync(connection)
  }

  handleCommandComplete({ text }: { text: string }, connection: Connection): void {
    this.#tag = text
    this.#sync(connection)
  }

  handleEmptyQuery(connection: Connection): void {
    this.#sync(connection)
  }

  /** pg calls this for COPY FROM STDIN, and the next one for COPY TO STDOUT. */
  handleCopyInResponse(connection: Connection & { sendCopyFail(message: string): void }): void {
    this.#refusal ??= copyRefused()
    connection.sendCopyFail('COPY cannot be used through this tool')
  }

  handleCopyData(): void {
    this.#refusal ??= copyRefused()
  }

  handleError(error: Error, connection: Connection): void {
    if (error instanceof DatabaseError) this.#sync(connection)
    // Of a failed query, pg does not pass on the ReadyForQuery any more.
    this.#settle.reject(this.#refusal ?? error)
  }

  handleReadyForQuery(): void {
    if (this.#refusal === undefined) this.#settle.resolve(this.#result())
    else this.#settle.reject(this.#refusal)
  }

  #execute(connection: Connection): void {
    const rows = Math.min(BATCH_ROWS, this.#limits.maxRows + 1 - this.#rows.length)
    connection.execute({ portal: '', rows: String(rows) }, true)
    connection.flush()
  }

  /** Once: each Sync is answered with a ReadyForQuery of its own. */
  #sync(connection: Connection): void {
    if (this.#synced) return
    this.#synced = true
    connection.sync()
  }

  #result(): QueryResult {
    const affected = /\d+$/.exec(this.#tag)?.[0]
    return {
      columns: this.#fields.map(({ name, dataTypeID }) => ({ name, type: typeName(dataTypeID) })),
      rows: this.#rows,
      rowCount: this.#fields.length > 0 ? this.#rows.length : Number(affected ?? 0),
      tag: this.#tag,
      truncated: this.#truncated,
    }
  }
}

function copyRefused(): SallyportError {
  return new SallyportError('REQUEST_INVALID', 'COPY cannot be used through this tool', {
    hint: 'use SELECT or INSERT; for COPY, connect with psql',
  })
}
