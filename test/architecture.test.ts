import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const gateway = 'packages/gateway/src'

const SERVICES = ['identity', 'policy', 'approvals', 'credentials', 'recording', 'audit']
const PORTS = SERVICES.map((service) => `${service}/ports.ts`)
const service = ['access', 'protocols/contract.ts']

/**
 * Which part of the gateway may import which. A part is a folder or a file, the longest one that fits; parts of the same
 * folder may import each other. `main.ts` puts everything together; `index.ts` is what the package shows.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[] | 'anything'>> = {
  'main.ts': 'anything',
  'index.ts': 'anything',
  // What the package calls itself.
  'version.ts': [],
  access: [],
  config: ['access'],
  telemetry: ['access'],
  masking: ['access'],
  'protocols/contract.ts': ['access'],
  'protocols/conformance.ts': ['access', 'protocols/contract.ts'],
  'protocols/wire': [],
  'protocols/sql': ['access'],
  'protocols/*': ['access', 'protocols/contract.ts', 'protocols/wire', 'protocols/sql'],
  identity: [...service, 'config'],
  policy: service,
  approvals: service,
  credentials: service,
  recording: service,
  audit: service,
  session: [...service, ...SERVICES, 'masking'],
  store: [...service, ...PORTS],
  control: [...service, ...SERVICES, 'version.ts', '@sallyport/api'],
}

/** Importing those of `node:process`, or all of it. */
const READS_PROCESS =
  /\bimport\s*(?:\*|\w|\{[^}]*\b(?:env|argv|exit|exitCode|stdin|stdout|stderr|cwd)\b[^}]*\})[^'"{]*['"](?:node:)?process['"]/

interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

function sources(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:ts|tsx|js|mjs)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/node_modules|[/\\]dist[/\\]|\.d\.ts$/.test(path))
    .map((path) => ({ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }))
}

const isTest = (path: string): boolean => /\.(?:test|fixture)\.ts$/.test(path)
const shipped = (folder: string): Source[] => sources(folder).filter(({ path }) => !isTest(path))

/** Comments out, strings kept: a specifier is a string, and a comment may show an import as an example. */
function withoutComments(text: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g
  return text.replace(token, (found) => (found.startsWith('/') ? ' ' : found))
}

/** Every module that a file names: `import`, `export … from`, `import('…')` in code and in types. */
function imports(text: string): string[] {
  const code = withoutComments(text)
  const from = /\b(?:import|export)\b[^'"`;=()]*?\bfrom\s*(['"])(.+?)\1/g
  const bare = /\bimport\s*(['"])(.+?)\1/g
  const dynamic = /\bimport\s*\(\s*(?:(['"`])([^'"`$]+?)\1|([^'"`\s][^),]*|`[^`]*`))/g
  const found = [...code.matchAll(from), ...code.matchAll(bare), ...code.matchAll(dynamic)]
  return found.map((match) => match[2] ?? `computed: ${match[3] ?? ''}`)
}

/** The part that a file of the gateway belongs to, or undefined when the table does not know its folder. */
function partOf(path: string): string | undefined {
  const [first = '', second = ''] = path.split('/')
  if (first !== 'protocols') return Object.hasOwn(MAY_IMPORT, first) ? first : undefined
  const named = `protocols/${second}`
  if (Object.hasOwn(MAY_IMPORT, named)) return named
  return path.split('/').length > 2 ? 'protocols/*' : undefined
}

/** What is wrong with one import of a gateway file; undefined when nothing is. */
function trespass(file: string, specifier: string): string | undefined {
  const part = partOf(file)
  const allowed = part === undefined ? [] : MAY_IMPORT[part]
  if (allowed === 'anything') return undefined
  const complaint = `${file} may not import ${specifier}`
  if (specifier.startsWith('computed: ')) return `${file} imports something that cannot be read: ${specifier}`
  if (/^(?:@sallyport\/|sallyport$|sallyport\/)/.test(specifier)) {
    return allowed?.includes(specifier) ? undefined : complaint
  }
  if (!specifier.startsWith('.')) return undefined
  const imported = relative(gateway, join(dirname(join(gateway, file)), specifier))
    .split(sep)
    .join('/')
  const home = (path: string): string =>
    path
      .split('/')
      .slice(0, path.startsWith('protocols/') ? 2 : 1)
      .join('/')
  if (home(imported) === home(file)) return undefined
  const fits = allowed?.some((one) => imported === one || imported.startsWith(`${one}/`))
  return fits ? undefined : complaint
}

test('every folder of the gateway is in the table', () => {
  const unknown = sources(gateway)
    .map(({ path }) => relative(gateway, path))
    .filter((path) => partOf(path) === undefined)
  expect(unknown).toEqual([])
})

test('the gateway imports along the table only', () => {
  const trespasses = shipped(gateway).flatMap(({ path, text }) =>
    imports(text).flatMap((specifier) => trespass(relative(gateway, path), specifier) ?? []),
  )
  expect(trespasses).toEqual([])
})

test('api imports none of our packages', () => {
  const ours = shipped('packages/api/src').flatMap(({ path, text }) =>
    imports(text)
      .filter((specifier) => /^@?sallyport\b/.test(specifier) || leaves(path, specifier))
      .map((specifier) => `${path}: ${specifier}`),
  )
  expect(ours).toEqual([])
})

test('the CLI reaches the gateway only by a dynamic import in serve, dev and doctor', () => {
  const allowed = /^packages\/cli\/src\/gateway-module\.ts$/
  const trespasses = shipped('packages/cli').flatMap(({ path, text }) => {
    const named = imports(text).filter((specifier) => specifier.startsWith('@sallyport/gateway'))
    const dynamic = [...withoutComments(text).matchAll(/\bimport\s*\(\s*'@sallyport\/gateway/g)].length
    const bad = named.length > 0 && (!allowed.test(path) || named.length !== dynamic)
    return bad || imports(text).some((specifier) => leaves(path, specifier)) ? [path] : []
  })
  expect(trespasses).toEqual([])
})

test.each(['packages/api/src', gateway, 'packages/cli/src'])(
  'in %s only main.ts reads the process',
  (folder) => {
    const readers = shipped(folder)
      .filter(({ path }) => path !== `${folder}/main.ts`)
      .filter(({ text }) => {
        const code = withoutComments(text)
        return (
          /\bprocess\s*(?:\.|\?\.|\[\s*['"])(?:env|argv|exit|exitCode|stdin|stdout|stderr|cwd)\b/.test(
            code,
          ) || READS_PROCESS.test(code)
        )
      })
      .map(({ path }) => path)
    expect(readers).toEqual([])
  },
)

test.each([
  ["import { a } from './a.ts'", ['./a.ts']],
  ["import type { A } from '../store/a.ts'", ['../store/a.ts']],
  ["import {\n  a,\n  b,\n} from './a.ts'", ['./a.ts']],
  ["import './effect.ts'", ['./effect.ts']],
  ["export * from './a.ts'", ['./a.ts']],
  ["export { a } from './a.ts'", ['./a.ts']],
  ["const a = await import('./a.ts')", ['./a.ts']],
  ["type A = import('./a.ts').A", ['./a.ts']],
  ['const a = await import(`./${name}.ts`)', ['computed: `./${name}.ts`']],
  ['const a = await import(name)', ['computed: name']],
  ["// import { a } from './a.ts'", []],
  ["/* export * from './a.ts' */ const url = 'http://x'", []],
])('finds the modules that %j names', (text, expected) => {
  expect(imports(text)).toEqual(expected)
})

test.each([
  ['access/model.ts', '../config/config.ts'],
  ['policy/decide.ts', '../identity/ports.ts'],
  ['protocols/ssh/server.ts', '../postgres/codec.ts'],
  ['protocols/postgres/relay.ts', '../../policy/ports.ts'],
  ['store/sessions.ts', '../recording/recorder.ts'],
  ['session/serve.ts', '../store/tickets.ts'],
  ['identity/verify-token.ts', '@sallyport/api'],
  ['policy/decide.ts', 'computed: name'],
])('would not let %s import %s', (file, specifier) => {
  expect(trespass(file, specifier)).toContain(file)
})

/** True when a relative import points out of its own package. */
function leaves(path: string, specifier: string): boolean {
  if (!specifier.startsWith('.')) return false
  const home = path.split('/').slice(0, 2).join('/')
  return !resolve('/', dirname(path), specifier).startsWith(`/${home}/`)
}
