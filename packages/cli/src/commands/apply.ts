import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { Command } from 'commander'
import type { ResourceFile } from '@sallyport/api'
import { contextOf, withGatewayOptions, withOutputOption } from '../command-context.ts'
import { usage } from '../failure.ts'
import { thingText } from '../output.ts'
import type { GlobalOptions } from '../settings.ts'
import { print, tell, type World } from '../world.ts'

interface ApplyOptions extends GlobalOptions {
  readonly dryRun?: boolean
}

// Targets and policies are text that people write; a file beyond this was picked up by mistake.
const MAX_FILE_BYTES = 1_000_000

export function applyCommand(world: World): Command {
  const command = new Command('apply')
    .description('make the *.yaml and *.cedar files of a directory the resources of the gateway')
    .argument('<directory>', 'the resources')
    .option('--dry-run', 'only say what would change')
    .action((directory: string, options: ApplyOptions) => apply(world, directory, options))
  return withOutputOption(withGatewayOptions(command))
}

async function apply(world: World, directory: string, options: ApplyOptions): Promise<void> {
  const files = await resourceFiles(resolve(world.cwd, directory))
  const { api, format } = await contextOf(world, options)
  const current = await api.resources.current()
  const changes = changesBetween(current.files, files)
  const human = changes.map(({ change, path }) => `${SIGNS[change]} ${path}\n`).join('')
  if (options.dryRun || changes.length === 0) {
    await print(world, thingText({ version: current.version, changes, applied: false }, human, format))
    return tell(
      world,
      changes.length === 0
        ? `nothing to change: version ${current.version} is this`
        : 'not applied, and so not checked: the gateway checks what it is given to apply',
    )
  }
  // Refused with a conflict when somebody has applied something else since we looked.
  const { version } = await api.resources.apply({ files, expected: current.version })
  await print(world, thingText({ version, changes, applied: true }, human, format))
  tell(world, `applied as version ${version}`)
}

/** Every `*.yaml` and `*.cedar` below a directory, sorted by path, with forward slashes. */
export async function resourceFiles(directory: string): Promise<ResourceFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch((error: Error) => {
    throw usage(`the directory cannot be read: ${error.message}`, 'give the path of the resources directory')
  })
  const paths = entries
    .filter((entry) => entry.isFile() && /\.(?:yaml|yml|cedar)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
  if (paths.length === 0) throw usage(`there are no *.yaml or *.cedar files in ${directory}`)
  const files: ResourceFile[] = []
  for (const path of paths) {
    if ((await stat(path)).size > MAX_FILE_BYTES)
      throw usage(`${path} is too large for a resource file (1 MB)`)
    files.push({ path: relative(directory, path).split(sep).join('/'), text: await readFile(path, 'utf8') })
  }
  return files
}

const SIGNS = { add: '+', change: '~', remove: '-' } as const

interface Change {
  readonly change: keyof typeof SIGNS
  readonly path: string
}

/** Which files come, differ or go, by path. */
export function changesBetween(before: readonly ResourceFile[], after: readonly ResourceFile[]): Change[] {
  const old = new Map(before.map((file) => [file.path, file.text]))
  const changes: Change[] = []
  for (const { path, text } of after) {
    if (!old.has(path)) changes.push({ change: 'add', path })
    else if (old.get(path) !== text) changes.push({ change: 'change', path })
    old.delete(path)
  }
  for (const path of old.keys()) changes.push({ change: 'remove', path })
  return changes.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}
