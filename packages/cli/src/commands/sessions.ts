import { Command } from 'commander'
import type { Client, EventList, Session, SessionEvent } from '@sallyport/api'
import { contextOf, withGatewayOptions, withOutputOption } from '../command-context.ts'
import { usage } from '../failure.ts'
import { ago, byteCount, duration } from '../humane.ts'
import { listText, thingText, type Column } from '../output.ts'
import { principalText } from '../principal-text.ts'
import { timeline } from '../timeline.ts'
import type { GlobalOptions } from '../settings.ts'
import { print, tell, type World } from '../world.ts'

interface ListOptions extends GlobalOptions {
  readonly live?: boolean
  readonly target?: string
  readonly principal?: string
  readonly limit: number
}

export function sessionsCommand(world: World): Command {
  const sessions = new Command('sessions').description('recorded conversations with targets')

  const list = new Command('list')
    .description('newest first; your own, or all where policy permits')
    .option('--live', 'only those that are open now')
    .option('--target <name>', 'only those on this target')
    .option('--principal <id>', 'only those of this principal')
    .option('--limit <count>', 'most sessions to list', count, 50)
    .action((options: ListOptions) => listSessions(world, options))

  const show = new Command('show')
    .description('what happened in a session, in order')
    .argument('<session>', 'its id')
    .action((id: string, options: GlobalOptions) => showSession(world, id, options))

  const kill = new Command('kill')
    .description('end a live session: its sockets close and its credential is removed')
    .argument('<session...>', 'ids')
    .action((ids: string[], options: GlobalOptions) => killSessions(world, ids, options))

  for (const command of [list, show]) sessions.addCommand(withOutputOption(withGatewayOptions(command)))
  return sessions.addCommand(withGatewayOptions(kill))
}

async function listSessions(world: World, options: ListOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const { live, target, principal, limit } = options
  const sessions = (await api.sessions.list({ live, target, principal, limit })).sessions
  if (sessions.length === 0 && format === 'table') return tell(world, 'no sessions')
  await print(world, listText(sessions, columnsAt(Date.now()), format))
}

async function showSession(world: World, id: string, options: GlobalOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const session = await api.sessions.get(id)
  const events = await allEvents(api, id)
  await print(world, thingText({ ...session, events }, timeline(session, events), format))
}

/** Every event of a session, asked for in pages. */
async function allEvents(api: Client, id: string): Promise<SessionEvent[]> {
  const events: SessionEvent[] = []
  for (let from: number | undefined = 0; from !== undefined; ) {
    const page: EventList = await api.sessions.events(id, { from, limit: 1000 })
    events.push(...page.events)
    from = page.next
  }
  return events
}

async function killSessions(world: World, ids: readonly string[], options: GlobalOptions): Promise<void> {
  const { api } = await contextOf(world, options)
  for (const id of ids) {
    await api.sessions.kill(id)
    tell(world, `${id} ended`)
  }
}

function columnsAt(now: number): Column<Session>[] {
  return [
    { heading: 'SESSION', show: (session) => session.id },
    { heading: 'WHO', show: (session) => principalText(session.principal) },
    { heading: 'TARGET', show: (session) => session.target },
    { heading: 'VIA', show: (session) => session.via },
    { heading: 'STARTED', show: (session) => ago(Date.parse(session.startedAt), now) },
    { heading: 'LASTED', show: (session) => lasted(session, now) },
    { heading: 'STATEMENTS', show: (session) => String(session.statements), align: 'right' },
    { heading: 'DENIED', show: (session) => String(session.denied), align: 'right' },
    { heading: 'ROWS', show: (session) => String(session.rows), align: 'right' },
    { heading: 'SENT', show: (session) => byteCount(session.bytes), align: 'right' },
    {
      heading: 'END',
      show: (session) => (session.endedAt === undefined ? '● live' : (session.endReason ?? '')),
    },
  ]
}

function lasted(session: Session, now: number): string {
  const end = session.endedAt === undefined ? now : Date.parse(session.endedAt)
  return duration(Math.max(0, end - Date.parse(session.startedAt)))
}

/** A whole number, at least 1. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw usage(`"${text}" is not a count`, 'give a whole number, at least 1')
  return Number(text)
}
