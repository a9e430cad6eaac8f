// What `npm run demo`, `npm test` and the others start. Runs on Node 20 without any dependency, because it is what
// brings the dependencies: it must work as the first command after a clone.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installDependencies } from './first-run/dependencies.mjs'
import { installTestTools } from './first-run/debian-packages.mjs'
import { findNode24 } from './first-run/node-24.mjs'
import { PlainFailure, say } from './first-run/say.mjs'
import { runForeground } from './first-run/run-foreground.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (/** @type {string} */ name) => join(root, 'node_modules', '.bin', name)
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')

/**
 * What each word runs, in order, with Node 24. `rest` are the arguments after `--`; they go to the last command.
 * @type {Record<string, { tools: boolean, commands: (node: string, rest: string[]) => string[][] }>}
 */
const TASKS = {
  demo: { tools: false, commands: (node, rest) => [[node, 'examples/tour/main.ts', ...rest]] },
  bench: { tools: true, commands: (node, rest) => [[node, 'bench/main.ts', ...rest]] },
  'bench:masking': { tools: false, commands: (node, rest) => [[node, 'bench/masking.ts', ...rest]] },
  'fuzz:masking': {
    tools: false,
    commands: (node, rest) => [[node, vitest, 'run', 'test/e2e/masking-canaries.test.ts', ...rest]],
  },
  test: { tools: true, commands: (node, rest) => [[node, vitest, 'run', ...rest]] },
  check: {
    tools: false,
    commands: (node, rest) => [
      [bin('biome'), 'format', '.'],
      [bin('oxlint'), '--type-aware', '-c', '.oxlintrc.json', '.'],
      [bin('tsc'), '-b'],
      [bin('knip')],
      [node, vitest, 'run', 'packages/', 'test/architecture', ...rest],
    ],
  },
  sallyport: { tools: false, commands: (node, rest) => [[node, 'packages/cli/bin/sallyport.js', ...rest]] },
}

async function main() {
  const [word = '', ...rest] = process.argv.slice(2)
  const task = Object.hasOwn(TASKS, word) ? TASKS[word] : undefined
  if (task === undefined) {
    throw new PlainFailure(`unknown task "${word}"`, `one of: ${Object.keys(TASKS).join(', ')}`)
  }
  installDependencies(root)
  const node = findNode24(root)
  if (task.tools) installTestTools()
  for (const command of task.commands(node, rest)) {
    if (word === 'check') say(command.map((part) => part.replace(`${root}node_modules/.bin/`, '')).join(' '))
    const code = await runForeground(command, root)
    if (code !== 0) return code
  }
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof PlainFailure)) throw error
  console.error(`\n✗ ${error.message}\n  try  ${error.mend}`)
  process.exitCode = 1
}
