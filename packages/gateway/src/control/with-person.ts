import type { FastifyReply, FastifyRequest } from 'fastify'
import { AccessDenied } from '../access/errors.ts'
import { type Caller, type CallerRoute, withCaller } from './caller.ts'
import type { ControlServices } from './services.ts'

/**
 * A route that only a person reaches who speaks for themselves.
 * @param what it is about, as the refusal calls it
 * @throws AccessDenied, audited, for everybody else
 */
export function withPerson(
  services: Pick<ControlServices, 'identity' | 'audit'>,
  what: { readonly name: string; readonly hint: string },
  handler: (caller: Caller, request: FastifyRequest, reply: FastifyReply) => unknown,
): CallerRoute {
  return withCaller(services, (caller, request, reply) => {
    const { principal } = caller
    if (principal.kind === 'user' && principal.actingFor === undefined) return handler(caller, request, reply)
    services.audit({
      type: 'access.denied',
      principal: principal.id,
      detail: {
        action: `${request.method} ${what.name}`,
        kind: principal.kind,
        requestId: caller.requestId,
      },
    })
    throw new AccessDenied(
      'ACCESS_POLICY_DENIED',
      `${what.name} are for people: no agent or service sees or decides them here`,
      { hint: what.hint },
    )
  })
}
