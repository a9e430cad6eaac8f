import { Client } from 'pg'
import type { InProcessSession } from '../services.ts'
import { socketFor } from './pg-socket.ts'
import { type Limits, type Parameter, PortalQuery, type QueryResult } from './portal-query.ts'

/**
 * Of all that a session may send for one query. What exceeds the caller's own limit is thrown away; this much of it fits
 * into memory for each of many queries at once, and a single field can be a gigabyte.
 */
const MAX_WIRE_BYTES = 16 * 1024 * 1024
/** For the polite goodbye after the answer. */
const GOODBYE_MS = 5000

export interface Query extends Limits {
  readonly sql: string
  readonly parameters: readonly Parameter[]
  readonly applicationName?: string
}

/**
 * Runs one statement on a session and ends the session.
 * @param signal ends the session at once, whatever it is doing
 * @throws DatabaseError what the session answered; SallyportError REQUEST_INVALID for COPY; Error when it broke off
 */
export async function runQuery(
  session: InProcessSession,
  query: Query,
  signal: AbortSignal,
): Promise<QueryResult> {
  const { stream } = session
  const hangUp = (): void => void stream.destroy()
  signal.addEventListener('abort', hangUp, { once: true })
  // An in-process stream whose other end is gone only ends; pg waits for it to close.
  stream.once('end', hangUp)
  const client = new Client({
    stream: () => socketFor(stream),
    ssl: false,
    user: session.user,
    database: session.database,
    password: session.password.reveal(),
    ...(query.applicationName === undefined ? {} : { application_name: query.applicationName }),
  })
  // Without a listener, a session that breaks off while nothing is asked of it would end the process.
  client.on('error', () => undefined)
  try {
    signal.throwIfAborted()
    await client.connect()
    const running = new PortalQuery(query.sql, query.parameters, query)
    let received = 0
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (received <= MAX_WIRE_BYTES) return
      running.cutOff()
      hangUp()
    })
    return await client.query(running).result
  } finally {
    signal.removeEventListener('abort', hangUp)
    const timer = setTimeout(hangUp, GOODBYE_MS)
    stream.once('close', () => clearTimeout(timer))
    if (stream.closed) clearTimeout(timer)
    client.end().catch(hangUp)
  }
}
