import { z } from 'zod'
import { PrincipalName } from './principal.ts'

export const LeaseState = z.enum(['planned', 'issued', 'revoking', 'revoked'])

/** A temporary credential on a target, now or once. */
export const Lease = z.object({
  id: z.string(),
  target: z.string(),
  /** The target's name for it: the PostgreSQL role. */
  handle: z.string(),
  capability: z.string(),
  state: LeaseState,
  session: z.string().optional(),
  principal: PrincipalName.optional(),
  plannedAt: z.iso.datetime(),
  issuedAt: z.iso.datetime().optional(),
  expiresAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().optional(),
  /** Revocations that failed so far, and why the last one did. */
  attempts: z.number().int().nonnegative(),
  lastError: z.string().optional(),
})
export type Lease = z.infer<typeof Lease>

/** `GET /api/v1/leases`. Newest first. */
export const LeaseQuery = z.strictObject({
  target: z.string().max(256).optional(),
  state: LeaseState.optional(),
  limit: z.coerce.number<number | string>().int().min(1).max(500).default(50),
})
export type LeaseQuery = z.input<typeof LeaseQuery>

export const LeaseList = z.object({ leases: z.array(Lease) })
export type LeaseList = z.infer<typeof LeaseList>
