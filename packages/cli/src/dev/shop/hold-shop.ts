import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { EXIT } from '../../exit-codes.ts'
import { CliFailure } from '../../failure.ts'

/** "One `sallyport dev` per folder": a number that nothing else on the shop's server is likely to lock. */
const LOCK_KEY = '5836217403912845'
/** A `sallyport dev` that was killed holds the lock until its server has noticed. */
const PATIENCE_MS = 3_000
const RETRY_MS = 100

/**
 * Makes this process the only one that runs the shop of its folder: a second one would find the server running, change
 * the issuer's password under the first, and stop the server with itself. Held until disposed, or until the server ends.
 * @param superuser `postgres://…/postgres` of a superuser
 * @throws CliFailure (conflict) when another process has it
 */
export async function holdShop(superuser: string, folder: string): Promise<AsyncDisposable> {
  const client = new Client({ connectionString: superuser, application_name: 'sallyport dev' })
  // The server is stopped before this is disposed, which ends the connection from the other side.
  client.on('error', () => {})
  await client.connect()
  const deadline = Date.now() + PATIENCE_MS
  do {
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [
      LOCK_KEY,
    ])
    if (rows[0]?.taken === true) return { [Symbol.asyncDispose]: () => client.end().catch(() => {}) }
    await sleep(RETRY_MS)
  } while (Date.now() < deadline)
  await client.end()
  throw new CliFailure(EXIT.conflict, 'DEV_RUNNING', `a gateway with this shop runs in ${folder} already`, {
    hint: 'use that one, or stop it first; another folder has a shop of its own',
  })
}
