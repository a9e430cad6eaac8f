import { Command } from 'commander'
import { approvalsCommand } from './commands/approvals.ts'
import { applyCommand } from './commands/apply.ts'
import { classifyCommand } from './commands/classify.ts'
import { connectCommand } from './commands/connect.ts'
import { devCommand } from './commands/dev.ts'
import { doctorCommand } from './commands/doctor.ts'
import { leasesCommand } from './commands/leases.ts'
import { policyCommand } from './commands/policy.ts'
import { queryCommand } from './commands/query.ts'
import { reviewsCommand } from './commands/reviews.ts'
import { runCommand } from './commands/run.ts'
import { serveCommand } from './commands/serve.ts'
import { sessionsCommand } from './commands/sessions.ts'
import { targetsCommand } from './commands/targets.ts'
import { whoamiCommand } from './commands/whoami.ts'
import type { World } from './world.ts'

const COMMANDS = [
  devCommand,
  serveCommand,
  doctorCommand,
  whoamiCommand,
  targetsCommand,
  queryCommand,
  runCommand,
  connectCommand,
  approvalsCommand,
  reviewsCommand,
  sessionsCommand,
  leasesCommand,
  applyCommand,
  policyCommand,
  classifyCommand,
]

const EXIT_CODES = `
Exit codes:
  0 ok  1 internal  2 usage  3 authentication needed  4 denied  5 approval pending
  6 approval refused or expired  7 target unreachable  8 policy tests failed  9 conflict
  run and connect pass on the exit code of what they run
`

/** All commands. Throws CommanderError for usage errors, and whatever an action throws; never ends the process. */
export function createProgram(world: World, version: string): Command {
  const program = new Command('sallyport')
    .description('just-in-time access to databases for agents and people')
    .version(version, '-V, --version')
    .addHelpText('after', EXIT_CODES)
  for (const command of COMMANDS) program.addCommand(command(world))
  for (const command of withSubcommands(program)) {
    command
      .exitOverride()
      .configureOutput({
        writeOut: (text) => void world.stdout.write(text),
        // Usage errors are printed with all others, in the form that was asked for.
        writeErr: () => {},
      })
      .helpCommand(false)
      .showSuggestionAfterError()
  }
  return program
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap((one) => withSubcommands(one))]
}
