import { join } from 'node:path'
import type { Secret } from '../access/secret.ts'
import type { Store } from './database.ts'
import { openStore } from './database.ts'
import type { EmbeddedPostgres } from './embedded-postgres.ts'
import { startEmbedded } from './embedded-postgres.ts'
import type { StoreLog } from './store-log.ts'

/**
 * The store of this configuration: at `database`, or in an embedded PostgreSQL under `dataDir`, which is then stopped
 * with it.
 * @throws SallyportError STORE_UNAVAILABLE
 */
export async function openConfiguredStore(options: {
  readonly database: Secret | undefined
  readonly dataDir: string
  readonly log: StoreLog
}): Promise<Store> {
  const { database, dataDir, log } = options
  if (database !== undefined) return openStore({ url: database, log })
  const embedded = await startEmbedded({ dir: join(dataDir, 'postgres'), log })
  try {
    const store = await openStore({ url: embedded.url, log })
    return { ...store, [Symbol.asyncDispose]: () => closeBoth(store, embedded) }
  } catch (thrown) {
    // Whoever holds the lock of an adopted server is alive, and needs it.
    if (!embedded.adopted) await embedded.stop()
    throw thrown
  }
}

async function closeBoth(store: Store, embedded: EmbeddedPostgres): Promise<void> {
  await store[Symbol.asyncDispose]()
  await embedded.stop()
}
