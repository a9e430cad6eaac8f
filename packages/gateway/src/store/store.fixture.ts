import type { TargetPostgres } from '../../../../test/harness/postgres.ts'
import { Secret } from '../access/secret.ts'

/** The address of a new, empty database on a test server. */
export async function emptyDatabase(server: TargetPostgres, name: string): Promise<Secret> {
  const client = await server.client()
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  return new Secret(server.url.reveal().replace(/postgres$/, name))
}

export const silent = { info: () => undefined, warn: () => undefined }
