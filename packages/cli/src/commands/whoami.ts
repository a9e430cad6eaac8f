import { Command } from 'commander'
import { contextOf, withGatewayOptions, withOutputOption } from '../command-context.ts'
import { thingText } from '../output.ts'
import { principalText } from '../principal-text.ts'
import type { GlobalOptions } from '../settings.ts'
import { print, type World } from '../world.ts'

export function whoamiCommand(world: World): Command {
  const command = new Command('whoami')
    .description('who the gateway takes the token for')
    .action((options: GlobalOptions) => whoami(world, options))
  return withOutputOption(withGatewayOptions(command))
}

async function whoami(world: World, options: GlobalOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const principal = await api.whoami()
  const lines = [
    `${principal.kind} ${principalText(principal)}`,
    `  groups  ${principal.groups.join(', ') || 'none'}`,
    `  issuer  ${principal.issuer}`,
  ]
  await print(world, thingText(principal, `${lines.join('\n')}\n`, format))
}
