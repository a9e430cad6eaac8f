import { randomBytes } from 'node:crypto'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool, types } from 'pg'
import type { PoolClient, QueryResultRow } from 'pg'
import type { Secret } from '../access/secret.ts'
import { GatewayLock } from './gateway-lock.ts'
import { migrate } from './migrate.ts'
import type { Schema } from './schema.ts'
import { SCHEMA } from './schema.ts'
import { reached, storeError } from './store-error.ts'
import type { StoreLog } from './store-log.ts'

/** Reads, the ingest and `apply`: few at a time. */
const DURABLE_CONNECTIONS = 6
/** One statement each, far below a millisecond: this many keep up with hundreds of sessions opening at once. */
const QUICK_CONNECTIONS = 4
const CONNECT_TIMEOUT_MS = 10_000

/** An open store: migrated, locked for this gateway. */
export interface Store extends AsyncDisposable {
  readonly db: Kysely<Schema>
  /**
   * Connections with `synchronous_commit = off`: a write is visible and survives this process, but the last moments
   * before a crash of the database server may be lost. For rows that are found again by other means.
   */
  readonly quick: QuickConnections
  /** 8 hex characters, made with the store: part of every role name on a target. */
  readonly installationId: string
  /** Aborts, with a SallyportError as the reason, when another gateway took over the store: this one must stop. */
  readonly evicted: AbortSignal
}

/** One statement, one round trip. */
export interface QuickConnections {
  /** @throws SallyportError STORE_UNAVAILABLE */
  query<Row extends QueryResultRow>(name: string, text: string, values: readonly unknown[]): Promise<Row[]>
}

/**
 * Connects, takes the store's lock, migrates.
 * @throws SallyportError STORE_UNAVAILABLE when it cannot be reached or another gateway uses it
 */
export async function openStore(options: { readonly url: Secret; readonly log: StoreLog }): Promise<Store> {
  const { url, log } = options
  const lock = await GatewayLock.take(url, log)
  const durable = pool(url, DURABLE_CONNECTIONS, log)
  const quick = pool(url, QUICK_CONNECTIONS, log, 'SET synchronous_commit = off')
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: durable }) }).withSchema(SCHEMA)
  const close = async (): Promise<void> => {
    await Promise.all([durable.end(), quick.end()])
    await lock[Symbol.asyncDispose]()
  }
  try {
    await migrate(db)
    return {
      db,
      quick: {
        async query<Row extends QueryResultRow>(name: string, text: string, values: readonly unknown[]) {
          return (await reached(quick.query<Row>({ name, text, values: [...values] }))).rows
        },
      },
      installationId: await installationId(db),
      evicted: lock.evicted,
      [Symbol.asyncDispose]: once(close),
    }
  } catch (thrown) {
    await close()
    throw storeError(thrown)
  }
}

function pool(url: Secret, max: number, log: StoreLog, setUp?: string): Pool {
  const made = new Pool({
    connectionString: url.reveal(),
    application_name: 'sallyport',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    max,
    ...(setUp === undefined
      ? {}
      : {
          verify: (client: PoolClient, done: (error?: Error) => void) => {
            client.query(setUp, (error) => done(error ?? undefined))
          },
        }),
    types: { getTypeParser },
  })
  // An idle connection broke: the pool has dropped it and makes another one when it is needed.
  made.on('error', (error) => log.warn({ error: error.message }, 'lost a connection to the store'))
  return made
}

/** Counts and positions are far below 2^53, where a double stops being exact. */
const getTypeParser: typeof types.getTypeParser = (
  oid: Parameters<typeof types.getTypeParser>[0],
  format?: 'text' | 'binary',
) => (oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format))

async function installationId(db: Kysely<Schema>): Promise<string> {
  await db
    .insertInto('installation')
    .values({ key: 'id', value: randomBytes(4).toString('hex') })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const row = await db
    .selectFrom('installation')
    .select('value')
    .where('key', '=', 'id')
    .executeTakeFirstOrThrow()
  return row.value
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => (done ??= action())
}
