import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler, RouteHandlerMethod } from 'fastify'
import { AuthenticationFailed } from '../access/errors.ts'
import type { Principal } from '../access/model.ts'
import { Secret } from '../access/secret.ts'
import type { AskedContext } from '../policy/cedar-request.ts'
import type { ControlServices } from './services.ts'

/** Who sent a request, and how it arrived. */
export interface Caller {
  readonly principal: Principal
  readonly requestId: string
  readonly sourceIp: string
}

/**
 * Finds out who sends a request by its `Authorization: Bearer` (RFC 6750 §2.1). Failures are audited.
 * @throws AuthenticationFailed
 */
async function callerOf(
  { identity, audit }: Pick<ControlServices, 'identity' | 'audit'>,
  request: FastifyRequest,
): Promise<Caller> {
  const token = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
  if (token === undefined) {
    throw new AuthenticationFailed('AUTH_REQUIRED', 'the request has no bearer token', {
      hint: 'send "Authorization: Bearer …" with an access token of a trusted identity provider; `sallyport login` gets one',
    })
  }
  try {
    const principal = await identity.bearer(new Secret(token))
    return { principal, requestId: request.id, sourceIp: request.ip }
  } catch (error) {
    if (error instanceof AuthenticationFailed) {
      const detail = { via: 'api', code: error.code, sourceIp: request.ip, requestId: request.id }
      audit({ type: 'authentication.failed', detail })
    }
    throw error
  }
}

/** What a route needs so that only an authenticated principal reaches its handler. */
export interface CallerRoute {
  readonly onRequest: onRequestAsyncHookHandler
  readonly handler: RouteHandlerMethod
}

/**
 * A route that only an authenticated principal reaches. Who asks is found out before the body is read: a stranger must not
 * be able to fill the memory with bodies that nobody will look at.
 */
export function withCaller(
  services: Pick<ControlServices, 'identity' | 'audit'>,
  handler: (caller: Caller, request: FastifyRequest, reply: FastifyReply) => unknown,
): CallerRoute {
  const callers = new WeakMap<FastifyRequest, Caller>()
  return {
    onRequest: async (request) => {
      callers.set(request, await callerOf(services, request))
    },
    handler: async (request, reply) => {
      const caller = callers.get(request)
      if (caller === undefined) throw new Error('a request without a caller')
      return await handler(caller, request, reply)
    },
  }
}

/** What policy may ask about a request of the control API. */
export function contextOf(caller: Caller, via: 'api' | 'mcp' = 'api'): AskedContext {
  return { sourceIp: caller.sourceIp, via, now: Date.now() }
}
