/**
 * @typedef {{ version?: string, dev?: boolean, optional?: boolean, optionalDependencies?: Record<string, string> }} Entry
 * @typedef {{ packages: Record<string, Entry> }} Lock
 */

const OS = /(?:^|[/-])(android|darwin|freebsd|linux|openharmony|win32)(?=-|$)/
const CPU = /-(arm64|arm|x64|ppc64|riscv64|s390x|ia32)(?=-|$)/
const LIBC = /-(?:(musl)|(gnu))(?:eabihf)?$/

/**
 * The lockfile with an entry for every optional dependency that it names but does not hold.
 * @param {Lock} lock
 * @returns {{ lock: Lock, added: string[] }} a new lockfile, and the names of what it did not hold
 * @throws Error for one whose name does not tell its platform, or whose version is a range
 */
export function withAllPlatforms(lock) {
  /** @type {Record<string, Entry>} */
  const missing = {}
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const nested = `${path}/node_modules/${name}`
      const hoisted = `node_modules/${name}`
      if (lock.packages[nested] || lock.packages[hoisted] || path.startsWith('packages/')) continue
      missing[hoisted] = {
        version: exact(name, version),
        ...(entry.dev ? { dev: true } : {}),
        ...platformOf(name),
      }
    }
  }
  const all = Object.entries({ ...lock.packages, ...missing }).toSorted(([a], [b]) =>
    a.localeCompare(b, 'en'),
  )
  const added = Object.keys(missing).map((path) => path.replace('node_modules/', ''))
  return { lock: { ...lock, packages: Object.fromEntries(all) }, added }
}

function exact(/** @type {string} */ name, /** @type {string} */ version) {
  if (/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version)) return version
  throw new Error(`${name}@${version} is a range: ask a registry that has it`)
}

/** What npm goes by when it leaves a package out, from a name such as `@oxlint/binding-linux-x64-musl`. */
function platformOf(/** @type {string} */ name) {
  const os = OS.exec(name)?.[1]
  const cpu = CPU.exec(name)?.[1]
  if (os === undefined || cpu === undefined) throw new Error(`${name} does not tell its platform`)
  const libc = LIBC.exec(name)
  return {
    cpu: [cpu],
    ...(libc === null ? {} : { libc: [libc[1] ? 'musl' : 'glibc'] }),
    optional: true,
    os: [os],
  }
}
