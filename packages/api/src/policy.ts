import { z } from 'zod'
import { FileProblem } from './problem.ts'
import { PrincipalKind } from './principal.ts'
import { ResourceFile } from './resources.ts'

const Name = z.string().min(1).max(256)

/** Somebody to ask for. */
export const SimulatedPrincipal = z.strictObject({
  kind: PrincipalKind,
  id: Name,
  groups: z.array(Name).max(500).default([]),
  attributes: z.record(Name, z.string().max(1024)).default({}),
  issuer: z.string().max(1024).optional(),
})
export type SimulatedPrincipal = z.input<typeof SimulatedPrincipal>

/** `POST /api/v1/policy/simulate`: what would be decided. For oneself, or, with `simulate`, for anybody. Nothing runs. */
export const SimulateRequest = z.strictObject({
  target: Name,
  sql: z
    .string()
    .min(1)
    .max(1024 * 1024),
  /** Left out: the caller. */
  as: SimulatedPrincipal.extend({ actingFor: SimulatedPrincipal.optional() }).optional(),
  via: z.enum(['postgres', 'mcp', 'api']).default('postgres'),
  purpose: z.string().min(1).max(1024).optional(),
  sourceIp: z.union([z.ipv4(), z.ipv6()]).optional(),
  time: z.iso.datetime({ offset: true }).optional(),
  /** As if these people had approved, entitled by these groups. */
  approved: z
    .strictObject({ by: z.array(Name).min(1).max(50), groups: z.array(Name).min(1).max(50) })
    .optional(),
})
export type SimulateRequest = z.input<typeof SimulateRequest>

export const ShownPolicy = z.object({
  id: z.string(),
  effect: z.enum(['permit', 'forbid']),
  file: z.string(),
  line: z.number().int(),
  text: z.string(),
})
export type ShownPolicy = z.infer<typeof ShownPolicy>

const Outcome = z.enum(['permit', 'deny', 'approval'])

const Rule = z.object({
  policy: z.string(),
  approvers: z.array(z.string()),
  quorum: z.number().int(),
  ttlSeconds: z.number(),
})

export const Simulation = z.object({
  decision: Outcome,
  /** Those that determined it. */
  policies: z.array(ShownPolicy),
  reason: z.string().optional(),
  hint: z.string().optional(),
  code: z.string().optional(),
  alarms: z.array(z.string()),
  /** Who would be asked. */
  approval: z.object({ reason: z.string(), rules: z.array(Rule) }).optional(),
  operations: z.array(
    z.object({
      action: z.string(),
      on: z.string(),
      columns: z.array(z.string()).optional(),
      through: z.string().optional(),
      decision: Outcome,
      policies: z.array(z.string()),
      reason: z.string().optional(),
    }),
  ),
  functions: z.array(z.object({ name: z.string(), volatility: z.string(), harmless: z.boolean() })),
  facts: z.record(z.string(), z.unknown()),
  masks: z.array(
    z.object({ columns: z.union([z.array(z.string()), z.literal('hidden')]), hidesTexts: z.boolean() }),
  ),
  /** Comparisons of masked columns with what the client sends. */
  guesses: z.number().int(),
})
export type Simulation = z.infer<typeof Simulation>

/** `GET /api/v1/policy/decisions/:id`: why a statement was decided as it was, from its recording. */
export const ExplainedDecision = z.object({
  /** `<session>.<n>` */
  id: z.string(),
  at: z.iso.datetime(),
  session: z.string(),
  principal: z.string(),
  actingFor: z.string().optional(),
  target: z.string(),
  text: z.string(),
  effect: z.enum(['permit', 'deny', 'approval']),
  operations: z.array(z.string()),
  reason: z.string().optional(),
  /** Those that determined it, as they are now. */
  policies: z.array(ShownPolicy),
  /** Those that are in force no more. */
  gone: z.array(z.string()),
})
export type ExplainedDecision = z.infer<typeof ExplainedDecision>

/** `POST /api/v1/policy/lint`: looks over files that are not in force. For those who may apply resources. */
export const LintRequest = z.strictObject({ files: z.array(ResourceFile).max(1000) })
export type LintRequest = z.input<typeof LintRequest>

export const LintReport = z.object({
  findings: z.array(FileProblem),
  /** Targets with whose catalogs names were compared. */
  catalogs: z.array(z.string()),
})
export type LintReport = z.infer<typeof LintReport>
