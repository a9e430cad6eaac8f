import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { say } from './say.mjs'

/**
 * What the tests use from Debian. Each is looked for by the file that the tests start or load, not by its package, so
 * that one that came another way counts.
 * @typedef {{ what: string, paths: string[], packages: string[], large?: boolean }} Tool
 * @type {Tool[]}
 */
const TOOLS = [
  { what: 'psql', paths: programs('psql'), packages: ['postgresql-client'] },
  // Debian ships pgbench with the server.
  { what: 'pgbench', paths: programs('pgbench'), packages: ['postgresql'] },
  { what: 'pgbouncer', paths: programs('pgbouncer'), packages: ['pgbouncer'] },
  { what: 'python3', paths: programs('python3'), packages: ['python3'] },
  { what: 'psycopg2', paths: ['/usr/lib/python3/dist-packages/psycopg2'], packages: ['python3-psycopg2'] },
  { what: 'JDBC', paths: ['/usr/share/java/postgresql.jar'], packages: ['libpostgresql-jdbc-java'] },
  // 200 MB: worth it where every test must run, not on somebody's laptop.
  { what: 'Java', paths: programs('java'), packages: ['default-jre-headless'], large: true },
]

function programs(/** @type {string} */ name) {
  const folders = ['/usr/bin', '/usr/sbin', '/usr/local/bin']
  // Where Debian keeps PostgreSQL's programs, by major version.
  for (let major = 13; major < 30; major++) folders.push(`/usr/lib/postgresql/${major}/bin`)
  return folders.map((folder) => join(folder, name))
}

/** Debian's /usr/bin/psql may be a script that looks for a real one, and is there without any. */
function isThere(/** @type {string} */ path) {
  return existsSync(path) && !realpathSync(path).endsWith('/pg_wrapper')
}

/**
 * The tools that are not on this machine.
 * @param {(path: string) => boolean} exists
 */
export function missingTools(exists) {
  return TOOLS.filter((tool) => !tool.paths.some(exists))
}

/**
 * What to do about missing tools.
 * @param {Tool[]} missing
 * @param {{ debian: boolean, root: boolean, ci: boolean }} machine
 * @returns {{ install: string[], skipped: Tool[] }} packages to install now, and tools whose tests will be skipped
 */
export function planFor(missing, { debian, root, ci }) {
  const install = debian && root ? missing.filter((tool) => ci || !tool.large) : []
  return {
    install: [...new Set(install.flatMap((tool) => tool.packages))],
    skipped: missing.filter((tool) => !install.includes(tool)),
  }
}

/** Installs what the tests need, as far as this machine and this user allow; says what will be skipped. Never throws. */
export function installTestTools() {
  const machine = {
    debian: existsSync('/usr/bin/apt-get') && process.env['SALLYPORT_NO_APT'] === undefined,
    root: process.getuid?.() === 0,
    ci: Boolean(process.env['CI']),
  }
  const { install, skipped } = planFor(missingTools(isThere), machine)
  if (install.length > 0) {
    say(`installing what the tests need from Debian: ${install.join(' ')}`)
    aptInstall(install)
    const stillMissing = missingTools(isThere).filter((tool) => !skipped.includes(tool))
    if (stillMissing.length > 0)
      tellSkipped(stillMissing, 'apt-get could not install it; what it said is above')
  }
  if (skipped.length > 0) {
    const packages = [...new Set(skipped.flatMap((tool) => tool.packages))].join(' ')
    tellSkipped(
      skipped,
      machine.debian ? `to run them:  sudo apt-get install ${packages}` : 'install them to run those',
    )
  }
}

function tellSkipped(/** @type {Tool[]} */ tools, /** @type {string} */ mend) {
  say(`tests that need ${tools.map((tool) => tool.what).join(', ')} will be skipped (${mend})`)
}

function aptInstall(/** @type {string[]} */ packages) {
  const lists = '/var/lib/apt/lists'
  const fresh = existsSync(lists) && readdirSync(lists).some((name) => name.includes('_Packages'))
  if (!fresh) aptGet('update', '-q')
  withServicesStopped(() => {
    if (packages.includes('postgresql')) {
      aptGet('install', '-q', '-y', '--no-install-recommends', 'postgresql-common')
    }
    withoutMainCluster(() => {
      const install = ['install', '-q', '-y', '--no-install-recommends', ...packages]
      // Lists that are older than the mirror name versions that are gone.
      if (!aptGet(...install) && fresh && aptGet('update', '-q')) aptGet(...install)
    })
  })
}

function aptGet(/** @type {string[]} */ ...args) {
  const result = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  return result.status === 0
}

/** Debian starts a service when it installs one. The tests start their own; nothing may run behind the owner's back. */
function withServicesStopped(/** @type {() => void} */ work) {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return work()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    work()
  } finally {
    rmSync(policy, { force: true })
  }
}

/** Debian makes a database cluster with the server package, which pgbench comes in. Nobody asked for that cluster. */
function withoutMainCluster(/** @type {() => void} */ work) {
  const settings = '/etc/postgresql-common/createcluster.conf'
  if (!existsSync(settings)) return work()
  const before = readFileSync(settings, 'utf8')
  writeFileSync(settings, `${before}\ncreate_main_cluster = false\n`)
  try {
    work()
  } finally {
    writeFileSync(settings, before)
  }
}
