import { dialGateway, isLoopback, type GatewayAddress } from './dial-gateway.ts'
import { CliFailure } from './failure.ts'
import { EXIT } from './exit-codes.ts'
import type { Client } from '@sallyport/api'

/** A ticket and where to show it, out of the gateway's answer. */
export interface UsableTicket {
  readonly id: string
  readonly secret: string
  readonly expiresAt: string
  readonly user: string
  /** The database name on the wire, which is the target's name. */
  readonly database: string
  readonly address: GatewayAddress
}

export interface TicketWish {
  readonly target: string
  readonly purpose?: string | undefined
  readonly ttlSeconds?: number | undefined
}

/** Asks the gateway for a ticket, and puts in order what it says about the connection. */
export async function obtainTicket(api: Client, wish: TicketWish): Promise<UsableTicket> {
  const issued = await api.tickets.issue({ target: wish.target, purpose: wish.purpose, ttl: wish.ttlSeconds })
  const url = new URL(issued.connection.url)
  const { env } = issued.connection
  const host = env['PGHOST'] ?? url.hostname.replace(/^\[|\]$/g, '')
  return {
    id: issued.id,
    secret: issued.ticket,
    expiresAt: issued.expiresAt,
    user: env['PGUSER'] ?? (decodeURIComponent(url.username) || 'sallyport'),
    database: env['PGDATABASE'] ?? decodeURIComponent(url.pathname.slice(1)),
    address: { host, port: Number(env['PGPORT'] ?? (url.port || 5432)) },
  }
}

/** Opens a connection to the gateway's PostgreSQL listener; says plainly where it failed. */
export async function dial(address: GatewayAddress): ReturnType<typeof dialGateway> {
  try {
    return await dialGateway(address)
  } catch (error) {
    const message =
      error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code : String(error)
    throw new CliFailure(
      EXIT.unreachable,
      'GATEWAY_UNREACHABLE',
      `cannot reach ${address.host}:${address.port}`,
      {
        why: message,
        hint: isLoopback(address.host)
          ? 'the gateway answered over HTTP but not here: see listen.postgres in its sallyport.yaml'
          : 'check that the network lets you through, and give the certificate authority with --ca-file if it is your own',
        cause: error,
      },
    )
  }
}
