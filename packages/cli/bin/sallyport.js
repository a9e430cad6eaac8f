#!/usr/bin/env node
// Plain JavaScript that any Node since 20 can read: Sallyport itself needs Node 24, and finds one in the `node` package.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // A checkout runs its sources; a published package has only what was built from them.
  const source = new URL('../src/main.ts', import.meta.url)
  await import(existsSync(source) ? source.href : new URL('../dist/main.js', import.meta.url).href)
} else {
  const node = node24()
  if (node === undefined) {
    console.error(
      `✗ Sallyport needs Node 24; this is ${process.version}\n` +
        '  why  the "node" package, which brings one, is not installed (or its install script was not run)\n' +
        '  try  npm ci, then npm rebuild node',
    )
    process.exitCode = 1
  } else {
    runWith(node)
  }
}

function node24() {
  try {
    const home = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    const node = join(home, 'bin', 'node')
    return existsSync(node) ? node : undefined
  } catch {
    return undefined
  }
}

function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) {
    process.on(signal, () => {
      // A terminal's Ctrl-C has reached the child already, which is in the same process group.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]))
}
