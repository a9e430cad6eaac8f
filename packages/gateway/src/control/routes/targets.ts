import type { TargetList, TargetSummary } from '@sallyport/api'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { targetSummary } from '../answers/target-answer.ts'
import { authorizeConnect } from '../authorize.ts'
import { contextOf, withCaller } from '../caller.ts'
import { readInput } from '../read-input.ts'
import type { ControlServices } from '../services.ts'

const Params = z.object({ name: z.string() })

export function targetRoutes(app: FastifyInstance, services: ControlServices): void {
  app.get(
    '/api/v1/targets',
    withCaller(services, (caller): TargetList => {
      const context = contextOf(caller)
      const open = services.targets
        .list()
        .filter(
          (target) => services.policy.decideConnect(caller.principal, target, context).effect === 'permit',
        )
      return { targets: open.map(targetSummary) }
    }),
  )

  app.get(
    '/api/v1/targets/:name',
    withCaller(services, (caller, request): TargetSummary => {
      const { name } = readInput(Params, request.params)
      return targetSummary(authorizeConnect(services, caller, name))
    }),
  )
}
