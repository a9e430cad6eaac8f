import { z } from 'zod'
import { PrincipalName } from './principal.ts'

export const ApprovalState = z.enum(['pending', 'granted', 'denied', 'expired', 'withdrawn', 'used'])
export type ApprovalState = z.infer<typeof ApprovalState>

/** `statement`: this very one, once. `pattern`: its shape within bounds. `connection`: whatever the same policies ask. */
export const ApprovalKind = z.enum(['statement', 'pattern', 'connection'])

/** A rule of a policy, and how many more people it needs. */
export const ApprovalRule = z.object({
  policy: z.string(),
  approvers: z.array(z.string()),
  quorum: z.number().int(),
  missing: z.number().int().nonnegative(),
})

/** A request in a list. Texts are as they may be shown: what hides something is written out. */
export const ApprovalSummary = z.object({
  id: z.string(),
  kind: ApprovalKind,
  state: ApprovalState,
  target: z.string(),
  database: z.string(),
  principal: PrincipalName.extend({ actingFor: PrincipalName.optional() }),
  /** What it does, as it was read: `update public.orders`. Empty for a connection. */
  operations: z.array(z.string()),
  /** The beginning of the statement, on one line. */
  summary: z.string(),
  /** As the client said. */
  purpose: z.string().optional(),
  /** Why policy asks. */
  reason: z.string(),
  policies: z.array(z.string()),
  rules: z.array(ApprovalRule),
  /** The caller may decide about it, and has not. */
  yours: z.boolean(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  closedAt: z.iso.datetime().optional(),
  closedBecause: z.string().optional(),
  uses: z.number().int().nonnegative(),
})
export type ApprovalSummary = z.infer<typeof ApprovalSummary>

/** What one parameter of a pattern may be. */
export const ParameterBound = z.union([
  z.strictObject({ number: z.number().int().min(1).max(65_535), any: z.literal(true) }),
  z.strictObject({
    number: z.number().int().min(1).max(65_535),
    oneOf: z.array(z.string().max(1024)).min(1).max(1000),
  }),
  z.strictObject({ number: z.number().int().min(1).max(65_535), min: z.number(), max: z.number() }),
])

/** How far an approval is to reach beyond the one statement. Never longer than the policies' own time. */
export const ApprovalGrant = z.strictObject({
  kind: z.enum(['pattern', 'connection']),
  seconds: z
    .number()
    .int()
    .min(1)
    .max(24 * 60 * 60),
  maxUses: z.number().int().min(1).max(100_000).optional(),
  parameters: z.array(ParameterBound).max(100).optional(),
  anyLiterals: z.boolean().optional(),
})
export type ApprovalGrant = z.infer<typeof ApprovalGrant>

export const ApprovalParameter = z.object({
  number: z.number().int(),
  /** Left out where the client left it to the target. */
  type: z.string().optional(),
  format: z.enum(['text', 'binary']),
  /** Null for NULL; left out for a binary value that is not read: see `bytes`. */
  text: z.string().nullable().optional(),
  /** Hexadecimal. Left out for NULL. */
  bytes: z.string().optional(),
})
export type ApprovalParameter = z.infer<typeof ApprovalParameter>

/** The whole picture, for whoever decides. */
export const Approval = ApprovalSummary.extend({
  statement: z
    .object({
      /** Exactly as it will be sent. */
      text: z.string(),
      /** The same with what hides something written out: `⟨U+202E⟩`. */
      visible: z.string(),
      /** Laid out for reading, where that was possible. Not what runs. */
      formatted: z.string().optional(),
      /** What to look at twice. */
      warnings: z.array(z.string()),
      parameters: z.array(ApprovalParameter),
      /** Prepared statements that it runs by name, as they may be shown. */
      executes: z.array(z.object({ name: z.string(), visible: z.string() })),
      searchPath: z.array(z.string()),
      /** Its literals can be told apart, so that a pattern may let them vary. */
      hasShape: z.boolean(),
    })
    .optional(),
  /** What the client said about itself. Nobody has checked it. */
  reported: z.object({
    purpose: z.string().optional(),
    prompt: z.string().optional(),
    toolUseId: z.string().optional(),
    clientSession: z.string().optional(),
    clientName: z.string().optional(),
  }),
  /** What the gateway found out about its effect: JSON. */
  preview: z.unknown().optional(),
  decisions: z.array(
    z.object({
      person: z.string(),
      groups: z.array(z.string()),
      verdict: z.enum(['approve', 'deny']),
      reason: z.string(),
      surface: z.string(),
      at: z.iso.datetime(),
      grant: ApprovalGrant.optional(),
    }),
  ),
  /** Earlier requests of the same shape on the same target, in the last 30 days. */
  similar: z.object({
    total: z.number().int(),
    granted: z.number().int(),
    denied: z.number().int(),
    expired: z.number().int(),
    last: z.object({ id: z.string(), state: ApprovalState, at: z.iso.datetime() }).optional(),
  }),
  grant: ApprovalGrant.optional(),
  grantedAt: z.iso.datetime().optional(),
  digest: z.string(),
  policyVersion: z.string(),
  session: z.string().optional(),
  via: z.enum(['postgres', 'mcp', 'api']),
  sourceIp: z.string(),
})
export type Approval = z.infer<typeof Approval>

/** `GET /api/v1/approvals`. Newest first; those that the caller may see. */
export const ApprovalQuery = z.strictObject({
  state: ApprovalState.optional(),
  target: z.string().max(256).optional(),
  /** Only those about which the caller may still decide. */
  mine: z.union([z.boolean(), z.stringbool()]).optional(),
  limit: z.coerce.number<number | string>().int().min(1).max(500).default(50),
  before: z.iso.datetime({ offset: true }).optional(),
})
export type ApprovalQuery = z.input<typeof ApprovalQuery>

export const ApprovalList = z.object({ approvals: z.array(ApprovalSummary) })
export type ApprovalList = z.infer<typeof ApprovalList>

const Reason = z.string().trim().min(1).max(2000)
/** Where the decision was made, as the client says. */
const Surface = z.enum(['api', 'cli', 'console']).default('api')

/** `POST /api/v1/approvals/:id/approve` */
export const ApproveRequest = z.strictObject({
  reason: Reason,
  surface: Surface,
  grant: ApprovalGrant.optional(),
})
export type ApproveRequest = z.input<typeof ApproveRequest>

/** `POST /api/v1/approvals/:id/deny`, `…/revoke` */
export const DenyRequest = z.strictObject({ reason: Reason, surface: Surface })
export type DenyRequest = z.input<typeof DenyRequest>

export const ApprovalEventType = z.enum([
  'requested',
  'previewed',
  'progress',
  'granted',
  'denied',
  'expired',
  'withdrawn',
  'used',
])

/** `GET /api/v1/approvals/watch`: answers when something has happened, or after `wait` seconds. */
export const ApprovalWatchQuery = z.strictObject({
  /** Of the last answer. Left out: only says where to begin. */
  cursor: z.string().max(64).optional(),
  wait: z.coerce.number<number | string>().int().min(0).max(30).default(25),
})
export type ApprovalWatchQuery = z.input<typeof ApprovalWatchQuery>

export const ApprovalEvents = z.object({
  cursor: z.string(),
  /** Events are gone that came after the given cursor: read the list again. */
  missed: z.boolean(),
  events: z.array(z.object({ type: ApprovalEventType, approval: ApprovalSummary })),
})
export type ApprovalEvents = z.infer<typeof ApprovalEvents>
