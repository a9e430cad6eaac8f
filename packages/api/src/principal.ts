import { z } from 'zod'

export const PrincipalKind = z.enum(['user', 'agent', 'service'])

/** Somebody, as far as others may know them. */
export const PrincipalName = z.object({ kind: PrincipalKind, id: z.string() })
export type PrincipalName = z.infer<typeof PrincipalName>

/** `GET /api/v1/whoami`: how the gateway understood the bearer token. */
export const WhoAmI = z.object({
  kind: PrincipalKind,
  id: z.string(),
  issuer: z.string(),
  subject: z.string(),
  groups: z.array(z.string()),
  attributes: z.record(z.string(), z.string()),
  actingFor: PrincipalName.optional(),
})
export type WhoAmI = z.infer<typeof WhoAmI>
