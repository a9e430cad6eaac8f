import { type Client, type ClientConfig, Pool, type PoolClient, type QueryResultRow } from 'pg'
import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'
import { isFatal, sqlstateOf } from './credentials-errors.ts'
import { ScramOnlyClient } from './credentials-client.ts'

/**
 * CREATE ROLE takes 0.2 ms: four connections make more leases per second than a target can fork backends for.
 */
const MAX_CONNECTIONS = 4
/** Beyond this, waiting callers are better told at once: the target is not keeping up. */
const MAX_WAITING = 2_000
const CONNECT_MS = 5_000
const STATEMENT_MS = 5_000
const LOCK_MS = 3_000
/** A target that fell off the network answers nothing at all; longer than its own timeout would take. */
const ANSWER_MS = 8_000

/** Runs one statement; the caller says what its rows look like. */
export type Query = <Row extends QueryResultRow>(
  text: string,
  values?: readonly unknown[],
) => Promise<readonly Row[]>

/** Thrown by the work of a transaction that was only a try. */
export class Undo extends Error {}

/**
 * The issuer account's few connections to a target, opened when first needed and kept. Commits are not waited
 * for (`synchronous_commit=off`): a role that a crash of the target brings back is found by the sweeper.
 */
export class IssuerConnections implements AsyncDisposable {
  readonly #pool: Pool
  #waiting = 0

  constructor(target: Target) {
    this.#pool = new Pool({
      Client: clientFor(target),
      max: MAX_CONNECTIONS,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: CONNECT_MS,
      allowExitOnIdle: true,
      // Nobody's function or table may come before PostgreSQL's own in the account's statements. Not said at log-in, so that
      // the path which sessions begin with can still be read from `pg_settings`.
      verify: (client, done) => {
        client.query('SET search_path = pg_catalog', (error: Error | null) => done(error ?? undefined))
      },
    })
    // An idle connection that the target closes is replaced when the next one is asked for.
    this.#pool.on('error', () => undefined)
    // One that breaks while it is used says so twice: to whoever waits for its answer, and as an event that would end the
    // process if nobody listened.
    this.#pool.on('connect', (client) => client.on('error', () => undefined))
  }

  /**
   * Runs one statement in a transaction of its own. The signal ends the wait for a connection only: a
   * statement that was sent is seen to its end, because a CREATE ROLE that nobody waits for could come true
   * after its revocation.
   * @throws what `pg` throws, to be translated by `issuerError`
   */
  async query<Row extends QueryResultRow>(
    text: string,
    signal: AbortSignal,
    values?: readonly unknown[],
  ): Promise<readonly Row[]> {
    return await this.#use(signal, (query) => query<Row>(text, values))
  }

  /** Runs `work` in one transaction; rolls back when it throws. `Undo` is for who wants nothing but that. */
  async transaction<T>(signal: AbortSignal, work: (query: Query) => Promise<T>): Promise<T> {
    return await this.#use(signal, async (query) => {
      // Whatever the target's default is: a later statement must see what others have committed meanwhile.
      await query('BEGIN ISOLATION LEVEL READ COMMITTED')
      try {
        const result = await work(query)
        await query('COMMIT')
        return result
      } catch (error) {
        if (isAtRest(error)) await query('ROLLBACK')
        throw error
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end()
  }

  async #use<T>(signal: AbortSignal, work: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.#acquire(signal)
    let broken = true
    try {
      const result = await work(
        async <Row extends QueryResultRow>(text: string, values?: readonly unknown[]) => {
          const answer = await client.query<Row>(text, values === undefined ? undefined : [...values])
          return answer.rows
        },
      )
      broken = false
      return result
    } catch (error) {
      broken = !isAtRest(error)
      throw error
    } finally {
      client.release(broken)
    }
  }

  async #acquire(signal: AbortSignal): Promise<PoolClient> {
    signal.throwIfAborted()
    if (this.#waiting >= MAX_WAITING) {
      throw new SallyportError('LIMIT_REACHED', 'too many temporary credentials are being made at once', {
        hint: 'try again in a moment',
      })
    }
    this.#waiting++
    try {
      const pending = this.#pool.connect()
      const aborted = abortion(signal)
      try {
        return await Promise.race([pending, aborted.promise])
      } catch (error) {
        if (signal.aborted) pending.then((late) => late.release()).catch(() => undefined)
        throw error
      } finally {
        aborted.stop()
      }
    } finally {
      this.#waiting--
    }
  }
}

/**
 * After an answer of PostgreSQL's, or an error of ours, the connection can be used again; after any other
 * nobody knows.
 */
function isAtRest(error: unknown): boolean {
  if (sqlstateOf(error) !== undefined) return !isFatal(error)
  return error instanceof SallyportError || error instanceof Undo
}

function abortion(signal: AbortSignal): { promise: Promise<never>; stop(): void } {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  return { promise, stop: () => signal.removeEventListener('abort', onAbort) }
}

/** Everything is said here: what is left out, `pg` would take from PG… environment variables or files. */
function clientFor(target: Target): new () => Client {
  const { mode, ca } = target.tls
  const config: ClientConfig = {
    host: target.address.host,
    port: target.address.port,
    user: target.credentials.username,
    password: target.credentials.password.reveal(),
    database: target.database,
    ssl:
      mode === 'disable'
        ? false
        : { rejectUnauthorized: mode === 'verify-full', ...(ca === undefined ? {} : { ca }) },
    application_name: 'sallyport-issuer',
    client_encoding: 'UTF8',
    options: '-c synchronous_commit=off -c standard_conforming_strings=on -c client_min_messages=error',
    statement_timeout: STATEMENT_MS,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: ANSWER_MS,
    query_timeout: ANSWER_MS,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
  }
  return class extends ScramOnlyClient {
    constructor() {
      super(config)
    }
  }
}
