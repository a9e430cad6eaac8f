import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { SallyportError } from '../access/errors.ts'

/** Everything below it is read at every start and sent whole by `sallyport apply`: larger is a mistake in the path. */
const MAX_FILES = 1000

/**
 * The `*.yaml`, `*.yml` and `*.cedar` files in a directory and below, in the order of their paths; hidden ones are left
 * out.
 * @throws SallyportError CONFIG_INVALID when it cannot be read
 */
export async function readResourceFiles(directory: string): Promise<{ path: string; text: string }[]> {
  try {
    const entries = await readdir(directory, { recursive: true })
    const paths = entries
      .map((path) => path.split(sep).join('/'))
      .filter(
        (path) => /\.(ya?ml|cedar)$/.test(path) && !path.split('/').some((part) => part.startsWith('.')),
      )
      .toSorted()
    if (paths.length > MAX_FILES) throw new Error(`it holds more than ${MAX_FILES} resource files`)
    return await Promise.all(
      paths.map(async (path) => ({ path, text: await readFile(join(directory, path), 'utf8') })),
    )
  } catch (cause) {
    throw new SallyportError(
      'CONFIG_INVALID',
      `cannot read the resources in ${directory}: ${(cause as Error).message}`,
      {
        hint: 'check `resources` in sallyport.yaml',
        cause,
      },
    )
  }
}
