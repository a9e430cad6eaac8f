import { randomBytes } from 'node:crypto'
import fastify, { type FastifyInstance } from 'fastify'
import { OriginCheck } from './check-origin.ts'
import { mcpRoutes } from './mcp/mcp-routes.ts'
import { RequestInvalid } from './problem.ts'
import { refuseOtherMethods } from './refuse-other-methods.ts'
import { approvalRoutes } from './routes/approvals.ts'
import { healthRoutes } from './routes/health.ts'
import { leaseRoutes } from './routes/leases.ts'
import { policyRoutes } from './routes/policy.ts'
import { resourceRoutes } from './routes/resources.ts'
import { reviewRoutes } from './routes/reviews.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { targetRoutes } from './routes/targets.ts'
import { ticketRoutes } from './routes/tickets.ts'
import { whoamiRoutes } from './routes/whoami.ts'
import { sendProblem } from './send-problem.ts'
import type { ControlServices } from './services.ts'

/** Every request but a set of resources fits into a few kilobytes. */
const MAX_BODY_BYTES = 64 * 1024

/** Answers are data for programs: no browser is to guess at, frame, share or keep them. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/**
 * The control API, the MCP endpoint and the health pages, not yet listening. There is no CORS: no page of another origin
 * has business here. Failures are problem details (RFC 9457), whatever fails.
 * @throws TypeError when `publicUrl` is not a URL
 */
export function createControl(services: ControlServices): FastifyInstance {
  const { log } = services
  const origins = new OriginCheck(services.settings.publicUrl)
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    genReqId: () => `req_${randomBytes(10).toString('hex')}`,
    requestIdHeader: false,
    // Ids in paths are ours and short; a longer one is nobody's, and gets a 404.
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply, log),
    // A body that trickles in must not hold a connection for good.
    requestTimeout: 30_000,
    forceCloseConnections: true,
  })
  // Only JSON: a form or text/plain body is what another origin's page can send without being asked (Fetch §4.6).
  app.removeContentTypeParser('text/plain')
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ ...SECURITY_HEADERS, 'x-request-id': request.id })
    origins.check(request.headers.host, request.headers.origin)
  })
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, log))
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const error = new RequestInvalid(`there is nothing at ${path}`, { status: 404 })
    return sendProblem(error, request, reply, log)
  })

  const refuseTheRest = refuseOtherMethods(app)
  ticketRoutes(app, services)
  whoamiRoutes(app, services)
  targetRoutes(app, services)
  sessionRoutes(app, services)
  leaseRoutes(app, services)
  approvalRoutes(app, services)
  reviewRoutes(app, services)
  resourceRoutes(app, services)
  policyRoutes(app, services)
  healthRoutes(app, services)
  mcpRoutes(app, services)
  refuseTheRest()
  return app
}
