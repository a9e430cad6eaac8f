import {
  type EventList,
  EventQuery,
  KillRequest,
  type Session,
  type SessionList,
  SessionQuery,
} from '@sallyport/api'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { SallyportError } from '../../access/errors.ts'
import type { SessionRow } from '../../recording/ports.ts'
import { eventAnswer, sessionAnswer } from '../answers/session-answer.ts'
import { isOwn, mayAdminister } from '../authorize.ts'
import { type Caller, withCaller } from '../caller.ts'
import { readInput } from '../read-input.ts'
import type { ControlServices } from '../services.ts'

const Params = z.object({ id: z.string() })
/** One for each policy that raised an alarm in a session. */
const MAX_REVIEWS = 100

export function sessionRoutes(app: FastifyInstance, services: ControlServices): void {
  const { sessions, audit } = services

  app.get(
    '/api/v1/sessions',
    withCaller(services, async (caller, request): Promise<SessionList> => {
      const { before, target, principal, live, limit } = readInput(SessionQuery, request.query)
      const all = mayAdminister(services, caller, 'viewSessions')
      const whose = all ? principal : caller.principal.id
      // Without leave to view others' sessions, a filter for somebody else finds nothing.
      if (!all && principal !== undefined && principal !== whose) return { sessions: [] }
      const rows = await sessions.list({
        limit,
        ...(target === undefined ? {} : { target }),
        ...(whose === undefined ? {} : { principal: whose }),
        ...(live === undefined ? {} : { live }),
        ...(before === undefined ? {} : { before: new Date(before) }),
      })
      const visible = rows.filter((row) => all || isOwn(caller.principal, row.principal))
      return { sessions: visible.map(sessionAnswer) }
    }),
  )

  app.get(
    '/api/v1/sessions/:id',
    withCaller(services, async (caller, request): Promise<Session> => {
      const row = await visibleSession(services, caller, request.params)
      const alarmed = await services.reviews.list({ sessionId: row.id, limit: MAX_REVIEWS })
      const reviews = alarmed.map(({ id, rule, state }) => ({ id, policy: rule.policy, state }))
      return { ...sessionAnswer(row), ...(reviews.length === 0 ? {} : { reviews }) }
    }),
  )

  app.get(
    '/api/v1/sessions/:id/events',
    withCaller(services, async (caller, request): Promise<EventList> => {
      const { id } = await visibleSession(services, caller, request.params)
      const { from, limit } = readInput(EventQuery, request.query)
      const rows = await sessions.events(id, { from, limit: limit + 1 })
      const next = rows[limit]?.n
      return {
        events: rows.slice(0, limit).map((row) => eventAnswer(id, row)),
        ...(next === undefined ? {} : { next }),
      }
    }),
  )

  app.post(
    '/api/v1/sessions/:id/kill',
    withCaller(services, async (caller, request, reply) => {
      const { reason } = readInput(KillRequest, request.body ?? {})
      const { id } = readInput(Params, request.params)
      const row = await sessions.get(id)
      const allowed =
        row !== undefined &&
        (isOwn(caller.principal, row.principal) || mayAdminister(services, caller, 'killSession'))
      if (!allowed) throw unknown(id, 'killSession')
      const by = caller.principal.id
      // Audited before it is done: a kill that nobody can account for must not be possible.
      audit({
        type: 'session.kill',
        principal: by,
        target: row.target,
        sessionId: id,
        detail: { requestId: caller.requestId, ...(reason === undefined ? {} : { reason }) },
      })
      if (!sessions.kill(id, reason === undefined ? `killed by ${by}` : `killed by ${by}: ${reason}`)) {
        throw new SallyportError('SESSION_ENDED', `session ${id} has ended already`)
      }
      return reply.code(204).send()
    }),
  )
}

/** @throws SallyportError SESSION_UNKNOWN, for what is not there and for what the caller may not see alike */
async function visibleSession(
  services: ControlServices,
  caller: Caller,
  params: unknown,
): Promise<SessionRow> {
  const { id } = readInput(Params, params)
  const row = await services.sessions.get(id)
  const visible =
    row !== undefined &&
    (isOwn(caller.principal, row.principal) || mayAdminister(services, caller, 'viewSessions'))
  if (!visible) throw unknown(id, 'viewSessions')
  return row
}

function unknown(id: string, action: string): SallyportError {
  return new SallyportError('SESSION_UNKNOWN', `there is no session ${id} among those open to you`, {
    hint: `your own sessions are; for those of others policy has to permit ${action}`,
  })
}
