import type { Session, SessionEvent } from '@sallyport/api'
import type { EventRow, SessionRow } from '../../recording/ports.ts'
import { principalName } from './principal-answer.ts'

export function sessionAnswer(row: SessionRow): Session {
  const { actingFor } = row.principal
  return {
    id: row.id,
    principal: {
      ...principalName(row.principal),
      ...(actingFor === undefined ? {} : { actingFor: principalName(actingFor) }),
    },
    target: row.target,
    via: row.via,
    ...(row.purpose === undefined ? {} : { purpose: row.purpose }),
    ...(row.clientName === undefined ? {} : { clientName: row.clientName }),
    ...(row.clientSession === undefined ? {} : { clientSession: row.clientSession }),
    ...(row.toolUseId === undefined ? {} : { toolUseId: row.toolUseId }),
    sourceIp: row.sourceIp,
    ...(row.leaseId === undefined ? {} : { lease: row.leaseId }),
    ...(row.handle === undefined ? {} : { handle: row.handle }),
    startedAt: row.startedAt.toISOString(),
    ...(row.endedAt === undefined ? {} : { endedAt: row.endedAt.toISOString() }),
    ...(row.endReason === undefined ? {} : { endReason: row.endReason }),
    statements: row.statements,
    denied: row.denied,
    rows: row.rows,
    bytes: row.bytes,
  }
}

export function eventAnswer(sessionId: string, { n, at, event }: EventRow): SessionEvent {
  const head = { n, at: at.toISOString() }
  switch (event.kind) {
    case 'start':
      return { ...head, kind: 'start' }
    case 'lease':
      return { ...head, kind: 'lease', lease: event.leaseId, handle: event.handle }
    case 'statement': {
      const { effect, policies, operations, reason } = event.decision
      const why = reason === undefined ? {} : { reason }
      const decision = {
        id: `${sessionId}.${n}`,
        effect,
        policies: [...policies],
        operations: [...operations],
        ...why,
      }
      return { ...head, kind: 'statement', text: event.text, decision }
    }
    case 'execute':
      return { ...head, kind: 'execute', of: event.statement, parameters: [...event.parameters] }
    case 'result': {
      const { of, tag, rows, bytes, micros, sqlstate, masked } = event
      const hidden =
        masked === undefined
          ? {}
          : { masked: masked.map(({ dataClass, ...rest }) => ({ ...rest, class: dataClass })) }
      const failed = sqlstate === undefined ? {} : { sqlstate }
      return { ...head, kind: 'result', of, tag, rows, bytes, micros, ...failed, ...hidden }
    }
    case 'end':
      return { ...head, kind: 'end', reason: event.reason }
    default:
      return event satisfies never
  }
}
