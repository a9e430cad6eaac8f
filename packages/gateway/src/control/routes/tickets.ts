import { type Ticket, TicketRequest } from '@sallyport/api'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { authorizeConnect, isOwn, mayAdminister } from '../authorize.ts'
import { withCaller } from '../caller.ts'
import { RequestInvalid } from '../problem.ts'
import { readInput } from '../read-input.ts'
import type { ControlServices } from '../services.ts'

const Params = z.object({ id: z.string() })

export function ticketRoutes(app: FastifyInstance, services: ControlServices): void {
  const { settings, tickets, audit } = services

  app.post(
    '/api/v1/tickets',
    withCaller(services, async (caller, request, reply): Promise<Ticket> => {
      const asked = readInput(TicketRequest, request.body)
      const ttlSeconds = asked.ttl ?? settings.tickets.defaultTtlSeconds
      if (ttlSeconds > settings.tickets.maxTtlSeconds) {
        throw new RequestInvalid(
          `a ticket lasts ${settings.tickets.maxTtlSeconds} seconds at most, not ${ttlSeconds}`,
          {
            errors: [{ pointer: '/ttl', message: 'is too long' }],
            hint: 'ask for less, and for a new ticket when it ends',
          },
        )
      }
      // A ticket is worth nothing where policy refuses the connection: better to hear it now than from psql.
      const target = authorizeConnect(services, caller, asked.target, { purpose: asked.purpose })
      const { id, ticket, expiresAt } = await tickets.issue(caller.principal, {
        target: target.name,
        ttlSeconds,
        ...(asked.purpose === undefined ? {} : { purpose: asked.purpose }),
        ...(asked.session === undefined ? {} : { clientSession: asked.session }),
      })
      audit({
        type: 'ticket.issue',
        principal: caller.principal.id,
        target: target.name,
        detail: { ticket: id, ttlSeconds, requestId: caller.requestId },
      })
      reply.code(201)
      return {
        ticket: ticket.reveal(),
        id,
        expiresAt: expiresAt.toISOString(),
        connection: connectionTo(settings, target.name, ticket.reveal()),
      }
    }),
  )

  app.delete(
    '/api/v1/tickets/:id',
    withCaller(services, async (caller, request, reply) => {
      const { id } = readInput(Params, request.params)
      const row = await tickets.get(id)
      const allowed =
        row !== undefined &&
        (isOwn(caller.principal, row.principal) || mayAdminister(services, caller, 'killSession'))
      // The same answer for a ticket of somebody else as for none: ids are not to be found out by trying.
      if (!allowed) {
        throw new RequestInvalid(`there is no ticket ${id} that you could revoke`, {
          status: 404,
          hint: 'its owner can, and whoever policy permits killSession',
        })
      }
      await tickets.revoke(id)
      audit({
        type: 'ticket.revoke',
        principal: caller.principal.id,
        target: row.target,
        detail: { ticket: id, requestId: caller.requestId },
      })
      return reply.code(204).send()
    }),
  )
}

function connectionTo(
  { postgres }: ControlServices['settings'],
  target: string,
  ticket: string,
): Ticket['connection'] {
  const host = postgres.host.includes(':') ? `[${postgres.host}]` : postgres.host
  const database = encodeURIComponent(target)
  return {
    url: `postgres://sallyport@${host}:${postgres.port}/${database}?sslmode=${postgres.sslmode}`,
    env: {
      PGHOST: postgres.host,
      PGPORT: String(postgres.port),
      PGUSER: 'sallyport',
      PGDATABASE: target,
      PGPASSWORD: ticket,
      PGSSLMODE: postgres.sslmode,
    },
  }
}
