import { CommanderError } from 'commander'
import { EXIT } from './exit-codes.ts'
import { type CliFailure, failureJson, failureOf, failureText, usage } from './failure.ts'
import { createProgram } from './program.ts'
import { wantsColor } from './settings.ts'
import { VERSION } from './version.ts'
import type { World } from './world.ts'

const world: World = {
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  nodeVersion: process.version,
  onSignal(signal, handler) {
    process.on(signal, handler)
    return () => void process.off(signal, handler)
  },
  setExitCode(code) {
    process.exitCode = code
  },
}

// `sallyport … | head`: the reader has what it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})

const argv = process.argv.slice(2)
try {
  await createProgram(world, VERSION).parseAsync(argv, { from: 'user' })
} catch (thrown) {
  // Commander ends --help and --version this way.
  const helped = thrown instanceof CommanderError && thrown.exitCode === 0
  if (!helped) report(thrown instanceof CommanderError ? usageFailure(thrown) : failureOf(thrown))
}

function usageFailure(error: CommanderError): CliFailure {
  if (error.code === 'commander.help') return usage('no command given', 'sallyport --help lists them')
  const [message = '', ...rest] = error.message.replace(/^error: /, '').split('\n')
  return usage(message, [...rest, `${commandLine()} --help shows what it takes`].join('\n').trim())
}

function report(failure: CliFailure): void {
  process.stderr.write(wantsJson() ? failureJson(failure) : failureText(failure, wantsColor(world)))
  if (process.env['SALLYPORT_DEBUG'] !== undefined) console.error(failure.details.cause ?? failure)
  process.exitCode = failure.exitCode
}

/** Whether errors are for a script. Looked up by hand: it must also be known for arguments that do not parse. */
function wantsJson(): boolean {
  const ours = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  return ours.some(
    (arg, i) =>
      /^(?:-o=?|--output=)jsonl?$/.test(arg) ||
      (/^(?:-o|--output)$/.test(arg) && /^jsonl?$/.test(ours[i + 1] ?? '')),
  )
}

/** The command that was typed, as far as it is one: what to ask for help on. */
function commandLine(): string {
  const program = createProgram(world, '')
  const names = ['sallyport']
  let at = program
  for (const word of argv) {
    const next = at.commands.find((command) => command.name() === word)
    if (next === undefined) break
    names.push(word)
    at = next
  }
  return names.join(' ')
}
