import type { FastifyInstance } from 'fastify'
import { whoAmI } from '../answers/principal-answer.ts'
import { withCaller } from '../caller.ts'
import type { ControlServices } from '../services.ts'

export function whoamiRoutes(app: FastifyInstance, services: ControlServices): void {
  app.get(
    '/api/v1/whoami',
    withCaller(services, ({ principal }) => whoAmI(principal)),
  )
}
