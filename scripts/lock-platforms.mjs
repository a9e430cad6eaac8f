// Puts the packages of all platforms into package-lock.json: node scripts/lock-platforms.mjs
//
// npm leaves an optional package out of the lockfile when the registry that it asked does not have it, as mirrors for one
// platform do. `npm ci` then refuses the lockfile everywhere. To be run after a dependency was added behind such a mirror.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { withAllPlatforms } from './first-run/all-platforms.mjs'

const path = fileURLToPath(new URL('../package-lock.json', import.meta.url))
const { lock, added } = withAllPlatforms(JSON.parse(readFileSync(path, 'utf8')))
if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(added.length === 0 ? 'nothing is missing' : `added ${added.length}: ${added.join(', ')}`)
