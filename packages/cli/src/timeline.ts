import type { MaskedColumn, Session, SessionEvent } from '@sallyport/api'
import { byteCount, duration } from './humane.ts'
import { visible } from './output.ts'
import { principalText } from './principal-text.ts'

// A line of SQL that fits a terminal beside the time; `-o json` has it whole.
const SQL_WIDTH = 160

/** A session for people: who and where, then every event with its time, decision, rows and duration. */
export function timeline(session: Session, events: readonly SessionEvent[]): string {
  const started = Date.parse(session.startedAt)
  const end = session.endedAt === undefined ? 'live' : duration(Date.parse(session.endedAt) - started)
  const head = [
    `${session.id}  ${principalText(session.principal)} → ${session.target} (${session.via})  ${end}`,
    ...(session.purpose === undefined ? [] : [`purpose   ${visible(session.purpose)}`]),
    ...(session.clientName === undefined
      ? []
      : [`client    ${visible(session.clientName)} from ${session.sourceIp}`]),
    ...promptLine(session),
    ...(session.handle === undefined ? [] : [`role      ${session.handle} (${session.lease ?? ''})`]),
    ...(session.reviews ?? []).map(
      ({ id, policy, state }) => `review    ${id} ${state} (${visible(policy)})`,
    ),
    `totals    ${plural(session.statements, 'statement')}, ${session.denied} denied, ${plural(session.rows, 'row')}, ${byteCount(session.bytes)}`,
    '',
  ]
  const results = resultsByStatement(events)
  const lines = events.flatMap((event) => eventLines(event, results))
  return `${[...head, ...lines].join('\n')}\n`
}

/** What ties the session to the prompt that caused it: nobody but the client vouches for it. */
function promptLine({ clientSession, toolUseId }: Session): string[] {
  const parts = [
    ...(toolUseId === undefined ? [] : [`tool call ${visible(toolUseId)}`]),
    ...(clientSession === undefined ? [] : [`agent session ${visible(clientSession)}`]),
  ]
  return parts.length === 0 ? [] : [`caused by ${parts.join(', ')} (reported by the client)`]
}

type Result = Extract<SessionEvent, { kind: 'result' }>

/** A result stands on its statement's line; one that comes after other events keeps its own. */
function resultsByStatement(events: readonly SessionEvent[]): ReadonlyMap<number, Result> {
  const results = new Map<number, Result>()
  for (const event of events)
    if (event.kind === 'result' && !results.has(event.of)) results.set(event.of, event)
  return results
}

function eventLines(event: SessionEvent, results: ReadonlyMap<number, Result>): string[] {
  const at = clock(event.at)
  switch (event.kind) {
    case 'start':
      return [`${at}  START`]
    case 'lease':
      return [`${at}  LEASE   ${event.handle}`]
    case 'statement':
      return statementLines(at, event, results.get(event.n))
    case 'execute': {
      const parameters = event.parameters
        .map((value) => (value === null ? 'NULL' : visible(value)))
        .join(', ')
      return [`${at}  EXECUTE #${event.of}  (${parameters})`, ...resultLine(results.get(event.n))]
    }
    case 'result':
      return results.get(event.of) === event ? [] : resultLine(event)
    case 'end':
      return [`${at}  END     ${event.reason}`]
  }
}

function statementLines(
  at: string,
  event: Extract<SessionEvent, { kind: 'statement' }>,
  result: Result | undefined,
): string[] {
  const { effect, policies, operations, reason } = event.decision
  const text = visible(event.text.replaceAll(/\s+/g, ' ').trim())
  const shown = text.length > SQL_WIDTH ? `${text.slice(0, SQL_WIDTH - 1)}…` : text
  const by = policies.length > 0 ? `policy ${policies.join(', ')}` : 'no policy permits it'
  const word = { permit: '✓ allow', deny: '✗ deny', approval: '⏸ needs approval' }[effect]
  return [
    `${at}  SQL #${event.n}  ${shown}`,
    `              ${word}  ${by}${operations.length > 0 ? ` · ${operations.join(', ')}` : ''}`,
    ...(reason === undefined ? [] : [`              ${reason}`]),
    ...resultLine(result),
  ]
}

function resultLine(result: Result | undefined): string[] {
  if (result === undefined) return []
  const parts = [
    result.tag,
    plural(result.rows, 'row'),
    byteCount(result.bytes),
    duration(result.micros / 1000),
  ]
  if (result.sqlstate !== undefined) parts.push(`SQLSTATE ${result.sqlstate}`)
  const lines = [`              → ${parts.filter((part) => part !== '').join(' · ')}`]
  if (result.masked !== undefined)
    lines.push(`              masked  ${result.masked.map(maskedColumn).join(' · ')}`)
  return lines
}

/** `ssn (pii.ssn, partial) 12 values`: what was hidden, and never what from. */
function maskedColumn({ column, class: dataClass, method, values }: MaskedColumn): string {
  return `${visible(column)} (${dataClass}, ${method}) ${plural(values, 'value')}`
}

/** `10:02:14.031` in local time. */
function clock(at: string): string {
  const date = new Date(at)
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
