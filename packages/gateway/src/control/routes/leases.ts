import { type LeaseList, LeaseQuery } from '@sallyport/api'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { SallyportError } from '../../access/errors.ts'
import { leaseAnswer } from '../answers/lease-answer.ts'
import { authorizeAdmin } from '../authorize.ts'
import { withCaller } from '../caller.ts'
import { readInput } from '../read-input.ts'
import type { ControlServices } from '../services.ts'

const Params = z.object({ id: z.string() })

export function leaseRoutes(app: FastifyInstance, services: ControlServices): void {
  const { leases, audit } = services

  app.get(
    '/api/v1/leases',
    withCaller(services, async (caller, request): Promise<LeaseList> => {
      const { target, state, limit } = readInput(LeaseQuery, request.query)
      authorizeAdmin(services, caller, 'viewLeases')
      const rows = await leases.list({
        limit,
        ...(target === undefined ? {} : { target }),
        ...(state === undefined ? {} : { state }),
      })
      return { leases: rows.map(leaseAnswer) }
    }),
  )

  app.post(
    '/api/v1/leases/:id/revoke',
    withCaller(services, async (caller, request, reply) => {
      const { id } = readInput(Params, request.params)
      authorizeAdmin(services, caller, 'revokeLease')
      const row = await leases.get(id)
      if (row === undefined) throw new SallyportError('LEASE_UNKNOWN', `there is no lease ${id}`)
      audit({
        type: 'lease.revoke',
        principal: caller.principal.id,
        target: row.target,
        ...(row.sessionId === undefined ? {} : { sessionId: row.sessionId }),
        detail: { lease: id, handle: row.handle, requestId: caller.requestId },
      })
      await leases.revoke(id)
      return reply.code(204).send()
    }),
  )
}
