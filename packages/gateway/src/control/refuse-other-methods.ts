import type { FastifyInstance } from 'fastify'
import { RequestInvalid } from './problem.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/**
 * Answers 405 with `Allow` (RFC 9110 §15.5.6) where a path is known, but not with that method. Called before the routes
 * are declared; what it returns, after them.
 */
export function refuseOtherMethods(app: FastifyInstance): () => void {
  const routes = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const known = routes.get(url) ?? new Set()
    for (const one of [method].flat()) known.add(one)
    routes.set(url, known)
  })
  return () => {
    for (const [url, known] of routes) {
      const allow = METHODS.filter((method) => known.has(method)).join(', ')
      const method = METHODS.filter((one) => !known.has(one))
      app.route({
        url,
        method,
        handler: (request, reply) => {
          reply.header('allow', allow)
          throw new RequestInvalid(`${request.method} is not possible here, only ${allow}`, { status: 405 })
        },
      })
    }
  }
}
