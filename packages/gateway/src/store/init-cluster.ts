import { randomUUID } from 'node:crypto'
import { chown, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Secret } from '../access/secret.ts'
import { SallyportError } from '../access/errors.ts'
import type { ClusterPlace } from './cluster-place.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { run } from './run-as.ts'

/**
 * Makes the data directory, whole or not at all: UTF-8, the C locale (the same order on every machine), passwords only
 * as SCRAM-SHA-256, on every kind of connection. Returns its real path.
 * @throws SallyportError STORE_UNAVAILABLE with what `initdb` said
 */
export async function initCluster(
  binaries: PostgresBinaries,
  place: Pick<ClusterPlace, 'parent' | 'data' | 'as'>,
  user: string,
  password: Secret,
  flags: readonly string[] = [],
): Promise<string> {
  const half = join(place.parent, `half-${randomUUID()}`)
  const passwordFile = `${half}.password`
  const { uid, gid } = place.as
  try {
    await writeFile(passwordFile, '', { mode: 0o600, flag: 'wx' })
    if (uid !== undefined && gid !== undefined) await chown(passwordFile, uid, gid)
    await writeFile(passwordFile, `${password.reveal()}\n`)
    const made = await run(
      binaries.initdb,
      [
        `--pgdata=${half}`,
        `--username=${user}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--no-locale',
        '--no-instructions',
        ...flags,
      ],
      place.as,
    )
    if (made.code !== 0) {
      throw new SallyportError('STORE_UNAVAILABLE', `the database could not be made: ${made.stderr.trim()}`, {
        hint: `check that ${place.parent} is writable and has room`,
      })
    }
    await rename(half, place.data)
    return await realpath(place.data)
  } finally {
    await rm(passwordFile, { force: true })
    await rm(half, { recursive: true, force: true })
  }
}
