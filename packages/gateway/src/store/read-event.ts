import type { EventRow, RecordedEvent } from '../recording/ports.ts'
import type { StartedSession } from './scan-journal.ts'

/** The keys of all kinds of lines together, as the recorder writes them. */
interface Line {
  n: number
  at: number
  k: RecordedEvent['kind']
  session: StartedSession
  lease: string
  handle: string
  text: string
  d: { effect: 'permit' | 'deny' | 'approval'; policies: string[]; operations: string[]; reason?: string }
  of: number
  p: (string | null)[]
  tag: string
  rows: number
  bytes: number
  us: number
  sqlstate?: string
  masked?: { column: string; class: string; method: string; values: number }[]
  reason: string
}

/** One journalled line of a session as an event. @throws SyntaxError when it is not JSON, TypeError when not ours */
export function readEvent(text: string): EventRow {
  const line: Line = JSON.parse(text)
  return { n: line.n, at: new Date(line.at), event: eventOf(line) }
}

function eventOf(line: Line): RecordedEvent {
  switch (line.k) {
    case 'start': {
      const { session } = line
      return {
        kind: 'start',
        session: {
          id: session.id,
          principal: session.principal,
          target: session.target,
          via: session.via,
          purpose: session.purpose,
          clientName: session.clientName,
          clientSession: session.clientSession,
          toolUseId: session.toolUseId,
          sourceIp: session.sourceIp,
          leaseId: session.leaseId,
          handle: session.handle,
          startedAt: new Date(session.startedAt),
        },
      }
    }
    case 'lease':
      return { kind: 'lease', leaseId: line.lease, handle: line.handle }
    case 'statement':
      return { kind: 'statement', text: line.text, decision: line.d }
    case 'execute':
      return { kind: 'execute', statement: line.of, parameters: line.p }
    case 'result':
      return {
        kind: 'result',
        of: line.of,
        tag: line.tag,
        rows: line.rows,
        bytes: line.bytes,
        micros: line.us,
        ...(line.sqlstate === undefined ? {} : { sqlstate: line.sqlstate }),
        ...(line.masked === undefined
          ? {}
          : { masked: line.masked.map(({ class: dataClass, ...rest }) => ({ ...rest, dataClass })) }),
      }
    case 'end':
      return { kind: 'end', reason: line.reason }
    default:
      throw new TypeError(`no such event kind: ${String(line.k)}`)
  }
}
