import { constants } from 'node:os'
import { Command, Option } from 'commander'
import { childEnvironment } from '../child-environment.ts'
import { contextOf, withGatewayOptions } from '../command-context.ts'
import { usage } from '../failure.ts'
import { seconds } from '../humane.ts'
import { runChild } from '../run-child.ts'
import type { GlobalOptions } from '../settings.ts'
import { openTarget, type TargetAccess } from '../target-access.ts'
import type { World } from '../world.ts'

interface RunOptions extends GlobalOptions {
  readonly on: readonly string[]
  readonly strip: readonly string[]
  readonly ttl?: number
  readonly purpose?: string
}

export function runCommand(world: World): Command {
  const command = new Command('run')
    .description(
      'run a program that reaches targets through a loopback port and a ticket, both of which end with it',
    )
    .addOption(new Option('--on <target...>', 'targets that the program may reach').makeOptionMandatory())
    .option(
      '--strip <name...>',
      'environment variables that the program is not to see; NAME* for all that begin so',
      [],
    )
    .option('--ttl <time>', 'how long the ticket may be used to connect: 90s, 15m, 1h', timeToLive)
    .option('--purpose <text>', 'what it is for; goes on the record and to policy')
    .argument('<command...>', 'the program and its arguments, after --')
    .action((program: string[], options: RunOptions) => run(world, program, options))
  return withGatewayOptions(command)
}

async function run(world: World, program: readonly string[], options: RunOptions): Promise<void> {
  const context = await contextOf(world, options)
  // From here to the end no signal may kill us with a ticket still good.
  const stopped = new AbortController()
  using signals = new DisposableStack()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    signals.defer(world.onSignal(signal, () => stopped.abort(signal)))
  }
  await using opened = new AsyncDisposableStack()
  const targets: TargetAccess[] = []
  for (const target of new Set(options.on)) {
    const wish = { target, purpose: options.purpose, ttlSeconds: options.ttl }
    targets.push(opened.use(await openTarget(world, context.api, wish)))
    if (stopped.signal.aborted) return world.setExitCode(exitCodeOf(stopped.signal.reason))
  }
  const environment = childEnvironment(
    world.env,
    targets.map(({ target, endpoint, ticket }) => ({
      name: target,
      host: endpoint.host,
      port: endpoint.port,
      database: ticket.database,
      user: ticket.user,
      password: ticket.secret,
    })),
    options.strip,
  )
  world.setExitCode(await runChild(world, program, environment))
}

/** 128 + n, as shells say that signal n ended a program. */
function exitCodeOf(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): number {
  return 128 + constants.signals[signal]
}

function timeToLive(text: string): number {
  const value = seconds(text)
  if (value === undefined || value === 0)
    throw usage(`"${text}" is not a length of time`, 'such as 90s, 15m or 1h')
  return value
}
