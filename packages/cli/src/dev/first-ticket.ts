import { createClient } from '@sallyport/api'
import type { DevEnvironment } from './start-dev.ts'

/** A ticket to the shop, for a psql line that works as it is printed; undefined when there is no shop. */
export async function firstTicket(
  environment: DevEnvironment,
): Promise<{ secret: string; target: string; persona: string } | undefined> {
  if (environment.shopUrl === undefined) return undefined
  const persona = 'ana'
  const client = createClient({ url: environment.url, token: () => environment.idp.token(persona) })
  const { ticket } = await client.tickets.issue({
    target: 'shop',
    purpose: 'a first look from sallyport dev',
  })
  return { secret: ticket, target: 'shop', persona }
}
