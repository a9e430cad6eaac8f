import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { SallyportError } from '../access/errors.ts'
import type { Secret } from '../access/secret.ts'
import { storeError } from './store-error.ts'
import type { StoreLog } from './store-log.ts'

/** "Sallyport" has one writer per store: a number that nothing else in the database is likely to lock. */
const LOCK_KEY = 7_310_868_253_172_592n
/** A gateway that was killed holds the lock until its server has noticed. */
const PATIENCE_MS = 3_000
const RETRY_MS = 100
const RECONNECT_MS = 1_000
const CONNECT_TIMEOUT_MS = 10_000

/**
 * The lock that makes this gateway the store's only one: two would each take the other's leases for strays and its
 * sessions for crashed. Held on a connection of its own, taken again when that is lost.
 */
export class GatewayLock implements AsyncDisposable {
  readonly #url: Secret
  readonly #log: StoreLog
  readonly #evicted = new AbortController()
  readonly #closing = new AbortController()
  #client: Client | undefined

  private constructor(url: Secret, log: StoreLog) {
    this.#url = url
    this.#log = log
  }

  /** @throws SallyportError STORE_UNAVAILABLE when another gateway has it, or the database cannot be reached */
  static async take(url: Secret, log: StoreLog): Promise<GatewayLock> {
    const lock = new GatewayLock(url, log)
    if (await lock.#acquire()) return lock
    throw takenByAnother()
  }

  /** Aborts, with a SallyportError as the reason, when another gateway took the lock while we were cut off. */
  get evicted(): AbortSignal {
    return this.#evicted.signal
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#client?.end().catch(() => undefined)
  }

  /** False when somebody else still holds it after a while. */
  async #acquire(): Promise<boolean> {
    const client = new Client({
      connectionString: this.#url.reveal(),
      application_name: 'sallyport lock',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    })
    // A broken connection also ends its queries with an error; without a listener it would end the process.
    client.on('error', () => undefined)
    try {
      await client.connect()
      const deadline = Date.now() + PATIENCE_MS
      do {
        const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [
          LOCK_KEY.toString(),
        ])
        if (rows[0]?.taken === true) {
          this.#client = client
          client.once('end', () => void this.#retake())
          return true
        }
        await sleep(RETRY_MS)
      } while (Date.now() < deadline)
    } catch (thrown) {
      await client.end().catch(() => undefined)
      throw storeError(thrown)
    }
    await client.end()
    return false
  }

  async #retake(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#log.warn({}, 'lost the connection that holds the store lock; taking it again')
      try {
        if (!(await this.#acquire())) this.#evicted.abort(takenByAnother())
        return
      } catch {
        await sleep(RECONNECT_MS, undefined, { ref: false })
      }
    }
  }
}

function takenByAnother(): SallyportError {
  return new SallyportError('STORE_UNAVAILABLE', 'another gateway is using this store', {
    hint: 'stop it first, or give this one a database (or dataDir) of its own',
  })
}
