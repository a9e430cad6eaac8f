import { Command } from 'commander'
import { childEnvironment } from '../child-environment.ts'
import { contextOf, withGatewayOptions } from '../command-context.ts'
import { runChild } from '../run-child.ts'
import type { GlobalOptions } from '../settings.ts'
import { openTarget } from '../target-access.ts'
import { tell, type World } from '../world.ts'

interface ConnectOptions extends GlobalOptions {
  readonly purpose?: string
}

export function connectCommand(world: World): Command {
  const command = new Command('connect')
    .description('open psql on a target')
    .argument('<target>', 'name of the target')
    .argument('[psql...]', 'further arguments for psql, after --')
    .option('--purpose <text>', 'what it is for; goes on the record and to policy')
    .action((target: string, psql: string[], options: ConnectOptions) =>
      connect(world, target, psql, options),
    )
  return withGatewayOptions(command)
}

async function connect(
  world: World,
  target: string,
  psql: readonly string[],
  options: ConnectOptions,
): Promise<void> {
  const context = await contextOf(world, options)
  // psql takes Ctrl-C as "cancel the statement": it must not end us, and the ticket has to be revoked after SIGTERM.
  using signals = new DisposableStack()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    signals.defer(world.onSignal(signal, () => {}))
  await using access = await openTarget(world, context.api, { target, purpose: options.purpose })
  const { endpoint, ticket } = access
  if (world.stderr.isTTY) tell(world, `${target} through Sallyport; everything is recorded`)
  const way = { host: endpoint.host, port: endpoint.port, database: ticket.database, user: ticket.user }
  const environment = childEnvironment(world.env, [{ name: target, ...way, password: ticket.secret }], [])
  world.setExitCode(await runChild(world, ['psql', ...psql], environment))
}
