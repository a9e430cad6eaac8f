import { z } from 'zod'

const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600 }

/** A length of time: seconds, or a number with `s`, `m` or `h` behind it. Becomes whole seconds. */
const Seconds = z.union([
  z.number().int().positive(),
  z
    .string()
    .regex(/^[1-9]\d{0,8}[smh]?$/, 'is not a length of time like 90, "90s", "10m" or "1h"')
    .transform((text) => Number.parseInt(text, 10) * (UNITS[text.replace(/^\d+/, '')] ?? 1)),
])

/** `POST /api/v1/tickets` */
export const TicketRequest = z.strictObject({
  /** The name of the one target that the ticket opens. */
  target: z.string().min(1).max(256),
  /** What the access is for, in a sentence; it is on every record. */
  purpose: z.string().min(1).max(1024).optional(),
  /** The agent framework's own session id. */
  session: z.string().min(1).max(256).optional(),
  ttl: Seconds.optional(),
})
export type TicketRequest = z.input<typeof TicketRequest>

export const Ticket = z.object({
  /** The secret. It is shown once and kept nowhere. */
  ticket: z.string(),
  id: z.string(),
  expiresAt: z.iso.datetime(),
  connection: z.object({
    /** Without the ticket: addresses end up in process lists and logs. */
    url: z.string(),
    /** Environment for libpq and everything that follows it; the ticket is `PGPASSWORD`. */
    env: z.record(z.string(), z.string()),
  }),
})
export type Ticket = z.infer<typeof Ticket>
