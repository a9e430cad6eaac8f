import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { SallyportError } from '../access/errors.ts'

/**
 * The text of a private file (mode 0600), which is made with `make` when it is not there. Two that make it at once end
 * up with the same one, whole.
 * @throws SallyportError CONFIG_INVALID when it can neither be read nor made
 */
export async function keptFile(path: string, make: () => string): Promise<string> {
  try {
    const kept = await readIfThere(path)
    if (kept !== undefined) return kept
    // Others may pass through it: the embedded database may run under another account (mode 0711).
    await mkdir(dirname(path), { recursive: true, mode: 0o711 })
    const half = `${path}.${crypto.randomUUID()}`
    try {
      await writeFile(half, make(), { mode: 0o600, flag: 'wx', flush: true })
      // Unlike a rename, a link does not replace what somebody else has just made.
      await link(half, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
      })
    } finally {
      await rm(half, { force: true })
    }
    return await readFile(path, 'utf8')
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'failed'
    throw new SallyportError('CONFIG_INVALID', `${path} can neither be read nor made: ${reason}`, {
      hint: 'make "dataDir" a folder that the gateway may write to',
      cause,
    })
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
