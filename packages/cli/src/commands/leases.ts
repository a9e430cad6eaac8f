import { Command, Option } from 'commander'
import type { Lease } from '@sallyport/api'
import { contextOf, withGatewayOptions, withOutputOption } from '../command-context.ts'
import { ago, duration } from '../humane.ts'
import { listText, type Column } from '../output.ts'
import type { GlobalOptions } from '../settings.ts'
import { print, tell, type World } from '../world.ts'
import { count } from './sessions.ts'

const STATES = ['planned', 'issued', 'revoking', 'revoked'] as const

interface ListOptions extends GlobalOptions {
  readonly target?: string
  readonly state?: (typeof STATES)[number]
  readonly limit: number
}

export function leasesCommand(world: World): Command {
  const leases = new Command('leases').description('temporary credentials on targets')

  const list = new Command('list')
    .description('newest first')
    .option('--target <name>', 'only those on this target')
    .addOption(new Option('--state <state>', 'only those in this state').choices([...STATES]))
    .option('--limit <count>', 'most leases to list', count, 50)
    .action((options: ListOptions) => listLeases(world, options))

  const revoke = new Command('revoke')
    .description('remove a credential from its target now; the session on it ends')
    .argument('<lease...>', 'ids')
    .action((ids: string[], options: GlobalOptions) => revokeLeases(world, ids, options))

  return leases.addCommand(withOutputOption(withGatewayOptions(list))).addCommand(withGatewayOptions(revoke))
}

async function listLeases(world: World, options: ListOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const { target, state, limit } = options
  const leases = (await api.leases.list({ target, state, limit })).leases
  if (leases.length === 0 && format === 'table') return tell(world, 'no leases')
  await print(world, listText(leases, columnsAt(Date.now()), format))
}

async function revokeLeases(world: World, ids: readonly string[], options: GlobalOptions): Promise<void> {
  const { api } = await contextOf(world, options)
  for (const id of ids) {
    await api.leases.revoke(id)
    tell(world, `${id} revoked`)
  }
}

function columnsAt(now: number): Column<Lease>[] {
  return [
    { heading: 'LEASE', show: (lease) => lease.id },
    { heading: 'TARGET', show: (lease) => lease.target },
    { heading: 'ROLE', show: (lease) => lease.handle },
    { heading: 'STATE', show: (lease) => lease.state },
    { heading: 'SESSION', show: (lease) => lease.session ?? '' },
    { heading: 'MADE', show: (lease) => ago(Date.parse(lease.plannedAt), now) },
    { heading: 'ENDS', show: (lease) => ends(lease, now) },
    { heading: 'LAST ERROR', show: (lease) => lease.lastError ?? '' },
  ]
}

function ends(lease: Lease, now: number): string {
  if (lease.revokedAt !== undefined) return ago(Date.parse(lease.revokedAt), now)
  const left = Date.parse(lease.expiresAt) - now
  return left > 0 ? `in ${duration(left)}` : 'overdue'
}
