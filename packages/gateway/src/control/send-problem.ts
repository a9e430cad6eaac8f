import type { FastifyReply, FastifyRequest } from 'fastify'
import { SallyportError } from '../access/errors.ts'
import { problemOf, RequestInvalid } from './problem.ts'
import type { ControlLog } from './services.ts'

/** Answers with problem details; what is not the caller's fault is logged, with the reason that the caller is not told. */
export function sendProblem(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: ControlLog,
): FastifyReply {
  const error = ofFramework(thrown) ?? SallyportError.from(thrown)
  const problem = problemOf(error, request.id)
  if (problem.status >= 500) {
    log.error({ err: error.cause ?? error, code: error.code, requestId: request.id }, 'a request failed')
  }
  if (problem.status === 401) reply.header('www-authenticate', challenge(error))
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

/** RFC 6750 §3: without a token the scheme alone, otherwise why the token does not do. */
function challenge(error: SallyportError): string {
  if (error.code === 'AUTH_REQUIRED') return 'Bearer realm="sallyport"'
  const why = error.message.replaceAll(/[^ !#-[\]-~]/g, '?')
  return `Bearer realm="sallyport", error="invalid_token", error_description="${why}"`
}

/** Fastify's own refusals (a body that is too large, or no JSON). Its message is about the request, not about us. */
function ofFramework(thrown: unknown): RequestInvalid | undefined {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return undefined
  const { statusCode, message } = thrown
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return undefined
  return new RequestInvalid(message, { status: statusCode })
}
