import type { Client } from '@sallyport/api'
import { openLoopbackEndpoint, type LoopbackEndpoint } from './loopback-endpoint.ts'
import { dial, obtainTicket, type TicketWish, type UsableTicket } from './ticket.ts'
import type { World } from './world.ts'
import { tell } from './world.ts'
import { failureOf } from './failure.ts'

/** A ticket and the loopback endpoint that leads to where it counts. Disposing ends both. */
export interface TargetAccess extends AsyncDisposable {
  readonly target: string
  readonly ticket: UsableTicket
  readonly endpoint: LoopbackEndpoint
}

/**
 * Gets a ticket for a target and opens the way to it. The gateway is dialled once before anything is started, so that
 * what cannot be reached is said here and not by a child's own words.
 */
export async function openTarget(world: World, api: Client, wish: TicketWish): Promise<TargetAccess> {
  await using undo = new AsyncDisposableStack()
  const ticket = await obtainTicket(api, wish)
  undo.defer(() => revoke(world, api, ticket))
  const probe = await dial(ticket.address)
  probe.destroy()
  const endpoint = undo.use(
    await openLoopbackEndpoint(
      () => dial(ticket.address),
      (error) => tell(world, `${wish.target}: ${failureOf(error).message}`),
    ),
  )
  const kept = undo.move()
  return { target: wish.target, ticket, endpoint, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** A ticket that could not be revoked ends by itself in minutes; that must not hide how the command went. */
async function revoke(world: World, api: Client, ticket: UsableTicket): Promise<void> {
  try {
    await api.tickets.revoke(ticket.id)
  } catch (error) {
    tell(
      world,
      `the ticket could not be revoked (${failureOf(error).message}); it ends at ${ticket.expiresAt}`,
    )
  }
}
