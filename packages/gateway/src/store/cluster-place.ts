import { createHash } from 'node:crypto'
import { chown, mkdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SYSTEM_DIRECTORY } from './postgres-binaries.ts'
import type { RunAs } from './run-as.ts'
import { canWrite, unprivilegedUser } from './run-as.ts'

/** Where the data directory of an embedded server is, or is to be made, and who owns it. */
export interface ClusterPlace {
  /** Owned by `as`; holds the data directory and, while it is being made, its half-finished form. */
  readonly parent: string
  readonly data: string
  readonly as: RunAs
  readonly exists: boolean
}

const NOTE = 'where-the-cluster-is.txt'

/**
 * `<dir>/cluster`, unless the account that the server runs under cannot get there (a data directory below /root): then
 * `<elsewhere>/<hash of dir>`, and a note in `dir` says so and is believed on the next start.
 */
export async function clusterPlace(dir: string, elsewhere: string = SYSTEM_DIRECTORY): Promise<ClusterPlace> {
  const noted = (await readFile(join(dir, NOTE), 'utf8').catch(() => '')).split('\n')[0]
  const near = join(dir, 'cluster')
  const known = await existing(noted === undefined || noted === '' ? near : noted)
  if (known !== undefined) return known

  const as = unprivilegedUser()
  await prepare(near, as)
  if (await canWrite(near, as)) return { parent: near, data: join(near, 'data'), as, exists: false }
  await rm(near, { recursive: true, force: true })

  const hash = createHash('sha256')
    .update(await realpath(dir))
    .digest('hex')
    .slice(0, 16)
  const far = join(elsewhere, hash)
  await mkdir(elsewhere, { recursive: true, mode: 0o755 })
  await prepare(far, as)
  await writeFile(
    join(dir, NOTE),
    `${far}\n\nThe PostgreSQL cluster of this directory is there: the server does not run as root, and the account it\n` +
      'runs under cannot reach this directory. Delete both together.\n',
  )
  return (await existing(far)) ?? { parent: far, data: join(far, 'data'), as, exists: false }
}

/** The server must run as the owner of its files, whoever made them. */
async function existing(parent: string): Promise<ClusterPlace | undefined> {
  const found = await stat(join(parent, 'data')).catch(() => undefined)
  if (found === undefined) return undefined
  const as = unprivilegedUser().uid === undefined ? {} : { uid: found.uid, gid: found.gid }
  return { parent, data: await realpath(join(parent, 'data')), as, exists: true }
}

async function prepare(directory: string, as: RunAs): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if (as.uid !== undefined && as.gid !== undefined) await chown(directory, as.uid, as.gid)
}
