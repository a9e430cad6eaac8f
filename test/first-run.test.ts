import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { withAllPlatforms } from '../scripts/first-run/all-platforms.mjs'
import { missingTools, planFor } from '../scripts/first-run/debian-packages.mjs'
import { staleBecause, withoutNpmSettings } from '../scripts/first-run/dependencies.mjs'

const wanted = {
  packages: {
    '': {},
    'packages/cli': { version: '0.1.0' },
    'node_modules/sallyport': { link: true },
    'node_modules/pg': { version: '8.23.1' },
    'node_modules/binary-darwin': { version: '1.0.0', optional: true },
  },
}
const installed = {
  packages: { 'node_modules/sallyport': { link: true }, 'node_modules/pg': { version: '8.23.1' } },
}

test.each([
  ['nothing is installed', undefined, 'not installed yet'],
  ['an installation was cut off', {}, 'not installed yet'],
  ['a package is missing', { packages: { 'node_modules/sallyport': { link: true } } }, 'pg is new'],
  [
    'a version differs',
    { packages: { ...installed.packages, 'node_modules/pg': { version: '8.0.0' } } },
    'pg changed',
  ],
])('npm ci runs when %s', (_, found, because) => {
  expect(staleBecause(wanted, found)).toContain(because)
})

test('npm ci does not run again when all that fits this machine is there', () => {
  expect(staleBecause(wanted, installed)).toBeUndefined()
})

test("the surrounding npm run's settings do not reach the npm that is started", () => {
  const env = {
    npm_config_local_prefix: '/x',
    npm_package_json: '/x',
    npm_config_registry: 'https://r',
    PATH: '/bin',
  }
  expect(withoutNpmSettings(env)).toEqual({ npm_config_registry: 'https://r', PATH: '/bin' })
})

test('the lockfile has the packages of every platform, so that npm ci takes it everywhere', () => {
  const lock = JSON.parse(
    readFileSync(fileURLToPath(new URL('../package-lock.json', import.meta.url)), 'utf8'),
  )
  expect(withAllPlatforms(lock).added).toEqual([])
})

test.each([
  ['@oxlint/binding-linux-x64-musl', { os: ['linux'], cpu: ['x64'], libc: ['musl'] }],
  ['@oxlint/binding-linux-arm-gnueabihf', { os: ['linux'], cpu: ['arm'], libc: ['glibc'] }],
  ['@biomejs/cli-win32-arm64', { os: ['win32'], cpu: ['arm64'] }],
])('%s is for %j', (name, platform) => {
  const { lock } = withAllPlatforms({ packages: { '': { optionalDependencies: { [name]: '1.0.0' } } } })
  expect(lock.packages[`node_modules/${name}`]).toEqual({ version: '1.0.0', optional: true, ...platform })
})

const nothing = missingTools(() => false)

test('root on Debian installs what is missing, Java only in CI', () => {
  const laptop = planFor(nothing, { debian: true, root: true, ci: false })
  expect(laptop.install).toContain('pgbouncer')
  expect(laptop.install).not.toContain('default-jre-headless')
  expect(laptop.skipped.map((tool) => tool.what)).toEqual(['Java'])
  expect(planFor(nothing, { debian: true, root: true, ci: true }).install).toContain('default-jre-headless')
})

test.each([
  ['an ordinary user', { debian: true, root: false, ci: true }],
  ['another system', { debian: false, root: true, ci: true }],
])('%s installs nothing and goes on without', (_, machine) => {
  expect(planFor(nothing, machine)).toEqual({ install: [], skipped: nothing })
})

test('an unknown task is refused with the ones that there are', () => {
  const script = fileURLToPath(new URL('../scripts/first-run.mjs', import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, [script, 'frobnicate'], { encoding: 'utf8' })
  expect(status).toBe(1)
  expect(stderr).toContain('demo, bench, bench:masking, fuzz:masking, test, check, sallyport')
})
