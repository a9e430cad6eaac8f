import { z } from 'zod'
import { ReviewState } from './reviews.ts'
import { PrincipalName } from './principal.ts'

const Count = z.number().int().nonnegative()

export const Session = z.object({
  id: z.string(),
  principal: PrincipalName.extend({ actingFor: PrincipalName.optional() }),
  target: z.string(),
  via: z.enum(['postgres', 'mcp', 'api']),
  purpose: z.string().optional(),
  clientName: z.string().optional(),
  /** The agent framework's own session, and the model's tool call that this one was opened for: as the client said. */
  clientSession: z.string().optional(),
  toolUseId: z.string().optional(),
  sourceIp: z.string(),
  lease: z.string().optional(),
  /** The temporary role on the target. */
  handle: z.string().optional(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  endReason: z.string().optional(),
  statements: Count,
  denied: Count,
  rows: Count,
  bytes: Count,
  /** Of one session, what policies with an alarm let happen in it. Not in lists. */
  reviews: z.array(z.object({ id: z.string(), policy: z.string(), state: ReviewState })).optional(),
})
export type Session = z.infer<typeof Session>

/** `GET /api/v1/sessions`. Without leave to view sessions: the caller's own. Newest first. */
export const SessionQuery = z.strictObject({
  target: z.string().max(256).optional(),
  principal: z.string().max(1024).optional(),
  live: z.union([z.boolean(), z.stringbool()]).optional(),
  limit: z.coerce.number<number | string>().int().min(1).max(500).default(50),
  /** Only sessions that started before this. */
  before: z.iso.datetime({ offset: true }).optional(),
})
export type SessionQuery = z.input<typeof SessionQuery>

export const SessionList = z.object({ sessions: z.array(Session) })
export type SessionList = z.infer<typeof SessionList>

const eventHead = { n: Count, at: z.iso.datetime() }

export const MaskedColumn = z.object({
  column: z.string(),
  class: z.string(),
  method: z.string(),
  values: Count,
})
export type MaskedColumn = z.infer<typeof MaskedColumn>

/** One event of a recording; `n` counts from 0 within the session. */
export const SessionEvent = z.discriminatedUnion('kind', [
  z.object({ ...eventHead, kind: z.literal('start') }),
  z.object({ ...eventHead, kind: z.literal('lease'), lease: z.string(), handle: z.string() }),
  z.object({
    ...eventHead,
    kind: z.literal('statement'),
    text: z.string(),
    decision: z.object({
      /** `<session>.<n>` */
      id: z.string(),
      effect: z.enum(['permit', 'deny', 'approval']),
      policies: z.array(z.string()),
      operations: z.array(z.string()),
      reason: z.string().optional(),
    }),
  }),
  z.object({
    ...eventHead,
    kind: z.literal('execute'),
    /** The number of the statement that was prepared. */
    of: Count,
    parameters: z.array(z.string().nullable()),
  }),
  z.object({
    ...eventHead,
    kind: z.literal('result'),
    of: Count,
    tag: z.string(),
    rows: Count,
    bytes: Count,
    micros: Count,
    sqlstate: z.string().optional(),
    /** Columns of which values were masked, by which class and how, and how many values. */
    masked: z.array(MaskedColumn).optional(),
  }),
  z.object({ ...eventHead, kind: z.literal('end'), reason: z.string() }),
])
export type SessionEvent = z.infer<typeof SessionEvent>

/** `GET /api/v1/sessions/:id/events` */
export const EventQuery = z.strictObject({
  from: z.coerce.number<number | string>().int().min(0).default(0),
  limit: z.coerce.number<number | string>().int().min(1).max(1000).default(200),
})
export type EventQuery = z.input<typeof EventQuery>

export const EventList = z.object({
  events: z.array(SessionEvent),
  /** Where to go on reading; left out when there were no more events than these. */
  next: Count.optional(),
})
export type EventList = z.infer<typeof EventList>

/** `POST /api/v1/sessions/:id/kill` */
export const KillRequest = z.strictObject({ reason: z.string().min(1).max(1024).optional() })
export type KillRequest = z.input<typeof KillRequest>
