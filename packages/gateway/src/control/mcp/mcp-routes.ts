import { type NodeServerResponseLike, toNodeHandler } from '@modelcontextprotocol/node'
import { type AuthInfo, createMcpHandler } from '@modelcontextprotocol/server'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { type Caller, withCaller } from '../caller.ts'
import type { ControlServices } from '../services.ts'
import { InFlightCalls } from './in-flight-calls.ts'
import { mcpServer } from './mcp-server.ts'
import type { ToolCaller } from './tool-caller.ts'

/** A statement of a megabyte, escaped, with its parameters. */
const MAX_BODY_BYTES = 4 * 1024 * 1024
/** Claims of the client; they end up in every list of sessions. */
const MAX_CLAIM = 128

const Cancelled = z.object({
  method: z.literal('notifications/cancelled'),
  params: z.object({ requestId: z.union([z.string(), z.number()]) }),
})

/**
 * `/mcp`: Streamable HTTP, MCP 2026-07-28 and 2025-11-25 on one URL, without sessions of its own. Answers are streams, so
 * that their headers go out at once: clients wait 60 s for those, and five minutes from one sign of life to the next.
 */
export function mcpRoutes(app: FastifyInstance, services: ControlServices): void {
  const calls = new InFlightCalls()
  /** Keyed by what the SDK hands through, so that no handler ever sees the bearer token. */
  const callers = new WeakMap<AuthInfo, ToolCaller>()
  const onerror = (error: Error): void => services.log.warn({ err: error }, 'an MCP request failed')
  const handler = createMcpHandler(
    ({ authInfo }) => {
      const caller = authInfo === undefined ? undefined : callers.get(authInfo)
      if (caller === undefined) throw new Error('an MCP request without a caller')
      return mcpServer(services, caller, calls)
    },
    { responseMode: 'sse', onerror, maxRequestBodySize: MAX_BODY_BYTES },
  )
  const serve = toNodeHandler(handler, { onerror, maxRequestBodySize: MAX_BODY_BYTES })
  app.addHook('preClose', () => handler.close())

  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/mcp',
    bodyLimit: MAX_BODY_BYTES,
    ...withCaller(services, async (known, request, reply) => {
      const caller = toolCaller(known, request)
      const cancelled = Cancelled.safeParse(request.body)
      if (cancelled.success) calls.cancel(caller, cancelled.data.params.requestId)
      const auth: AuthInfo = { token: '', clientId: caller.principal.id, scopes: [] }
      callers.set(auth, caller)
      reply.hijack()
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value)
      }
      const { method, url } = request
      await serve(Object.assign(request.raw, { method, url, auth }), eager(reply.raw), request.body)
    }),
  })
}

type Raw = NodeServerResponseLike & { flushHeaders(): void }

/** Node keeps headers back until the first byte of the body; the first byte of a stream may be minutes away. */
function eager(raw: Raw): NodeServerResponseLike {
  return {
    writeHead: (status, headers) => {
      raw.writeHead(status, headers)
      raw.flushHeaders()
    },
    write: (chunk) => raw.write(chunk),
    end: (chunk) => raw.end(chunk),
    on: (event, listener) => raw.on(event, listener),
    get destroyed() {
      return raw.destroyed === true
    },
  }
}

function toolCaller(caller: Caller, { headers }: FastifyRequest): ToolCaller {
  const clientName = claim(headers['user-agent'])
  const clientSession = claim(headers['x-agent-session'])
  return {
    ...caller,
    ...(clientName === undefined ? {} : { clientName }),
    ...(clientSession === undefined ? {} : { clientSession }),
  }
}

/** Printable ASCII, bounded; anything else is as good as nothing. */
function claim(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' && /^[ -~]+$/.test(value) ? value.slice(0, MAX_CLAIM) : undefined
}
