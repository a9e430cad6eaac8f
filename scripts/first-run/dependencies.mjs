import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlainFailure, say } from './say.mjs'

/**
 * @typedef {{ version?: string, optional?: boolean, link?: boolean, devOptional?: boolean, resolved?: string }} LockEntry
 * @typedef {{ packages?: Record<string, LockEntry> }} Lock
 */

/**
 * Why what is installed is not what the lockfile says; undefined when it is. npm writes `installed` itself, as the last
 * step of an installation, so one that was interrupted counts as none.
 * @param {Lock} wanted package-lock.json
 * @param {Lock | undefined} installed node_modules/.package-lock.json
 */
export function staleBecause(wanted, installed) {
  if (installed?.packages === undefined) return 'dependencies are not installed yet'
  for (const [path, entry] of Object.entries(wanted.packages ?? {})) {
    if (!path.includes('node_modules/')) continue
    const found = installed.packages[path]
    // Optional packages are left out where they do not fit the machine: only those that are there can be compared.
    if (found === undefined && (entry.optional || entry.devOptional)) continue
    if (found === undefined) return `${path.replace(/^.*node_modules\//, '')} is new in package-lock.json`
    if (found.version !== entry.version || Boolean(found.link) !== Boolean(entry.link)) {
      return `${path.replace(/^.*node_modules\//, '')} changed in package-lock.json`
    }
  }
  return undefined
}

/** @param {string} path @returns {Lock | undefined} */
function readLock(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

/** npm's own settings of the `npm run` that we are in, which would send a nested npm to the wrong folder. */
export function withoutNpmSettings(/** @type {NodeJS.ProcessEnv} */ env) {
  const inherited = /^npm_(?:config_local_prefix|config_prefix|package_|lifecycle_|command|execpath)/i
  return Object.fromEntries(Object.entries(env).filter(([name]) => !inherited.test(name)))
}

/**
 * Runs `npm ci` when `node_modules` is missing or is not what the lockfile says.
 * @param {string} root the checkout
 */
export function installDependencies(root) {
  const wanted = readLock(join(root, 'package-lock.json'))
  if (wanted === undefined) {
    throw new PlainFailure(`there is no package-lock.json in ${root}`, 'clone the repository again')
  }
  const stale = staleBecause(wanted, readLock(join(root, 'node_modules', '.package-lock.json')))
  if (stale === undefined) return
  say(`${stale}: running npm ci (about a minute the first time)`)
  // To stderr: the stdout of `npm run -s sallyport -- … -o json` is data.
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: withoutNpmSettings(process.env),
  })
  if (result.error !== undefined) {
    throw new PlainFailure(
      `npm could not be started: ${result.error.message}`,
      'install npm, e.g. apt-get install npm',
    )
  }
  if (result.status !== 0) {
    throw new PlainFailure(
      'npm ci failed; what it said is above',
      'if the registry cannot be reached, set the proxy or registry for npm (npm config set registry …) and start again',
    )
  }
}
