import { Command } from 'commander'
import { contextOf, withGatewayOptions, withOutputOption } from '../command-context.ts'
import { listText } from '../output.ts'
import type { GlobalOptions } from '../settings.ts'
import { print, tell, type World } from '../world.ts'

export function targetsCommand(world: World): Command {
  const list = new Command('list')
    .description('those that you may connect to now')
    .action((options: GlobalOptions) => listTargets(world, options))
  return new Command('targets')
    .description('named systems behind the gateway')
    .addCommand(withOutputOption(withGatewayOptions(list)))
}

async function listTargets(world: World, options: GlobalOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const { targets } = await api.targets.list()
  if (targets.length === 0 && format === 'table') return tell(world, 'no targets are open to you')
  const columns = [
    { heading: 'TARGET', show: (target: (typeof targets)[number]) => target.name },
    { heading: 'PROTOCOL', show: (target: (typeof targets)[number]) => target.protocol },
    { heading: 'DATABASE', show: (target: (typeof targets)[number]) => target.database },
    { heading: 'TAGS', show: (target: (typeof targets)[number]) => tagsText(target.tags) },
  ]
  await print(world, listText(targets, columns, format))
}

function tagsText(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}
