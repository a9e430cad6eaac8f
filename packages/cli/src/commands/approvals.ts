import { Command, Option } from 'commander'
import type { Approval, ApprovalSummary } from '@sallyport/api'
import { type GrantOptions, grantOf } from '../approval-grant.ts'
import { approvalPicture, stateText } from '../approval-picture.ts'
import { reasonFor } from '../ask-reason.ts'
import { contextOf, withGatewayOptions, withOutputOption, type CommandContext } from '../command-context.ts'
import { EXIT } from '../exit-codes.ts'
import { usage } from '../failure.ts'
import { ago, seconds } from '../humane.ts'
import { listText, thingText, type Column } from '../output.ts'
import { principalText } from '../principal-text.ts'
import type { GlobalOptions } from '../settings.ts'
import { watchAll, watchOne } from '../watch-approvals.ts'
import { print, tell, type World } from '../world.ts'
import { count } from './sessions.ts'

const STATES = ['pending', 'granted', 'denied', 'expired', 'withdrawn', 'used'] as const
/** Longer than any request waits. */
const FOREVER_MS = 365 * 24 * 60 * 60 * 1000

interface ListOptions extends GlobalOptions {
  readonly state?: (typeof STATES)[number]
  readonly target?: string
  readonly mine?: boolean
  readonly limit: number
}

interface DecideOptions extends GlobalOptions {
  readonly reason?: string
}

interface WatchOptions extends GlobalOptions {
  readonly mine?: boolean
  readonly timeout?: string
}

export function approvalsCommand(world: World): Command {
  const approvals = new Command('approvals').description(
    'statements that wait for people, and what people said',
  )

  const list = new Command('list')
    .description('newest first; your own, and those that you may decide about')
    .addOption(new Option('--state <state>', 'only those in this state').choices([...STATES]))
    .option('--mine', 'only those that wait for you')
    .option('--target <name>', 'only those on this target')
    .option('--limit <count>', 'most requests to list', count, 50)
    .action((options: ListOptions) => listApprovals(world, options))

  const show = new Command('show')
    .description('the whole picture: what would run, for whom, why it is asked, what it would do')
    .argument('<approval>', 'its id')
    .action((id: string, options: GlobalOptions) => showApproval(world, id, options))

  const approve = new Command('approve')
    .description('let it run: this statement, once; exit code 5 when more people are needed')
    .argument('<approval>', 'its id')
    .option('--reason <text>', 'why; asked for at a terminal')
    .addOption(
      new Option('--grant <kind>', 'more than this one statement, until a deadline').choices([
        'pattern',
        'connection',
      ]),
    )
    .option('--for <duration>', 'how long a grant lasts (15m); never longer than the policies say')
    .option('--max-uses <count>', 'how often a grant may be used', count)
    .option(
      '--vary <bound>',
      "what a parameter of a pattern may be: '2=*', '2=100..199', '2=new,open'; may be repeated",
      (value, all: string[]) => [...all, value],
      [],
    )
    .option('--any-literals', 'literals in the text of a pattern may differ')
    .action((id: string, options: DecideOptions & GrantOptions) => approveOne(world, id, options))

  const deny = new Command('deny')
    .description('it must not run')
    .argument('<approval>', 'its id')
    .option('--reason <text>', 'why; asked for at a terminal')
    .action((id: string, options: DecideOptions) => denyOne(world, id, options))

  const revoke = new Command('revoke')
    .description('withdraw a request of your own, or take a grant back')
    .argument('<approval>', 'its id')
    .option('--reason <text>', 'why; asked for at a terminal')
    .action((id: string, options: DecideOptions) => revokeOne(world, id, options))

  const watch = new Command('watch')
    .description('requests as they come; with an id, until it is decided: 0 granted, 6 refused or expired')
    .argument('[approval]', 'wait for this one')
    .option('--mine', 'only those that wait for you')
    .option(
      '--timeout <duration>',
      'with an id: how long to wait (90s); exit code 5 when it is still pending',
    )
    .action((id: string | undefined, options: WatchOptions) => watchApprovals(world, id, options))

  for (const command of [list, show, approve, deny, revoke, watch]) {
    approvals.addCommand(withOutputOption(withGatewayOptions(command)))
  }
  return approvals
}

async function listApprovals(world: World, options: ListOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const { state, target, mine, limit } = options
  const { approvals } = await api.approvals.list({ state, target, mine, limit })
  if (approvals.length === 0 && format === 'table') return tell(world, 'no requests')
  await print(world, listText(approvals, columnsAt(Date.now()), format))
}

async function showApproval(world: World, id: string, options: GlobalOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const approval = await api.approvals.get(id)
  await print(world, thingText(approval, approvalPicture(approval, Date.now()), format))
}

async function approveOne(world: World, id: string, options: DecideOptions & GrantOptions): Promise<void> {
  const grant = grantOf(options)
  const context = await contextOf(world, options)
  await lookFirst(context, id, options.reason)
  const reason = await reasonFor(world, options.reason, 'Approve, because:')
  const wide = grant === undefined ? {} : { grant }
  const approval = await context.api.approvals.approve(id, { reason, surface: 'cli', ...wide })
  await told(context, approval)
  if (approval.state === 'pending') world.setExitCode(EXIT.approvalPending)
}

async function denyOne(world: World, id: string, options: DecideOptions): Promise<void> {
  const context = await contextOf(world, options)
  await lookFirst(context, id, options.reason)
  const reason = await reasonFor(world, options.reason, 'Deny, because:')
  await told(context, await context.api.approvals.deny(id, { reason, surface: 'cli' }))
}

async function revokeOne(world: World, id: string, options: DecideOptions): Promise<void> {
  const context = await contextOf(world, options)
  const reason = await reasonFor(world, options.reason, 'Revoke, because:')
  await told(context, await context.api.approvals.revoke(id, { reason, surface: 'cli' }))
}

/** Whoever is asked for a reason is shown what they decide about. */
async function lookFirst(
  { world, api }: CommandContext,
  id: string,
  reason: string | undefined,
): Promise<void> {
  if (reason !== undefined || world.stdin.isTTY !== true) return
  tell(world, approvalPicture(await api.approvals.get(id), Date.now()))
}

async function told({ world, format }: CommandContext, approval: Approval): Promise<void> {
  const missing = approval.rules.reduce((most, rule) => Math.max(most, rule.missing), 0)
  const more = approval.state === 'pending' ? `; ${missing} more must approve` : ''
  tell(world, `${approval.id} ${stateText(approval, Date.now())}${more}`)
  if (format !== 'table') await print(world, thingText(approval, '', format))
}

async function watchApprovals(world: World, id: string | undefined, options: WatchOptions): Promise<void> {
  const wait = options.timeout === undefined ? FOREVER_MS : (seconds(options.timeout) ?? Number.NaN) * 1000
  if (Number.isNaN(wait)) throw usage(`"${options.timeout}" is not a length of time`, '--timeout 90s')
  const context = await contextOf(world, options)
  if (id === undefined) return await watchAll(context, options.mine === true)
  const approval = await watchOne(context, id, Date.now() + wait)
  await print(
    world,
    thingText(approval, `${approval.id} ${stateText(approval, Date.now())}\n`, context.format),
  )
}

function columnsAt(now: number): Column<ApprovalSummary>[] {
  return [
    { heading: 'APPROVAL', show: (one) => one.id },
    {
      heading: 'STATE',
      show: (one) => (one.state === 'pending' || one.state === 'granted' ? stateText(one, now) : one.state),
    },
    { heading: 'WHO', show: (one) => principalText(one.principal) },
    { heading: 'TARGET', show: (one) => one.target },
    { heading: 'DOES', show: (one) => one.operations.join(', ') },
    { heading: 'ASKED', show: (one) => ago(Date.parse(one.createdAt), now) },
    { heading: 'FOR YOU', show: (one) => (one.yours ? '●' : '') },
    { heading: 'POLICY', show: (one) => one.policies.join(', ') },
  ]
}
