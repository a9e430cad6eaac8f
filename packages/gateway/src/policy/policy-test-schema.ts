import { z } from 'zod'
import type { Principal } from '../access/model.ts'

const NAME = z.string().min(1).max(256)
const GROUPS = z.array(NAME).default([])
const TAGS = z.record(NAME, z.string().max(255)).default({})

/** Whoever a case does not name an issuer for comes from this one: policies can see `principal.issuer`. */
const ISSUER = 'https://idp.example.com'

export interface Asker {
  readonly user?: string | undefined
  readonly agent?: string | undefined
  readonly service?: string | undefined
  readonly groups: readonly string[]
  readonly tags: Readonly<Record<string, string>>
  readonly issuer?: string | undefined
  readonly for?: Asker | undefined
}

/** `{ agent: deploy-agent, groups: [devops], for: { user: omar, groups: [devops] } }` → a principal. */
const ASKER: z.ZodType<Asker> = z.strictObject({
  user: NAME.optional(),
  agent: NAME.optional(),
  service: NAME.optional(),
  groups: GROUPS,
  tags: TAGS,
  issuer: z.string().max(500).optional(),
  get for() {
    return ASKER.optional()
  },
})

export const WHO = ASKER.transform((asker, context): Principal => {
  const principal = principalOf(asker)
  if (principal !== undefined) return principal
  context.addIssue({ code: 'custom', message: 'needs exactly one of "user", "agent" and "service"' })
  return z.NEVER
})

const COLUMNS = z.union([
  z
    .array(NAME)
    .transform((names): Record<string, string> => Object.fromEntries(names.map((n) => [n, 'text']))),
  z.record(NAME, z.string().min(1)),
])

/** `schema.table` → its columns, as a list of names or with their types. */
const CATALOG = z.record(z.string().regex(/^[^.]+\.[^.]+$/, 'must be "schema.table"'), COLUMNS)

const TARGET = z.union([NAME, z.strictObject({ name: NAME, database: NAME.optional(), tags: TAGS })])

const USED = z.strictObject({
  statements: z.int().min(0).default(0),
  rows: z.int().min(0).default(0),
  denials: z.int().min(0).default(0),
})

const EXPECT = z.preprocess(
  (value) => (typeof value === 'string' ? { decision: value } : value),
  z.strictObject({
    decision: z.enum(['permit', 'deny', 'approval']),
    /** Exactly these determined it. */
    policies: z.array(NAME).optional(),
    /** Of an approval: exactly these groups are asked. */
    approvers: z.array(NAME).optional(),
    /** The reason holds this. */
    reason: z.string().min(1).optional(),
    /** For each column of the result, the class that it is masked as, or `clear`; `hidden`: all, whatever they are. */
    columns: z.union([z.array(NAME), z.literal('hidden')]).optional(),
    /** Exactly these raise an alarm. */
    alarms: z.array(NAME).optional(),
  }),
)

const CASE = z.strictObject({
  name: z.string().min(1).max(200),
  as: WHO.optional(),
  target: TARGET.optional(),
  /** Left out: it is the connection that is asked about. */
  sql: z.string().min(1).optional(),
  via: z.enum(['postgres', 'mcp', 'api']).default('postgres'),
  purpose: z.string().min(1).optional(),
  time: z.iso.datetime({ offset: true }).optional(),
  from: z.string().min(1).default('127.0.0.1'),
  lastMinute: USED.optional(),
  lastHour: USED.optional(),
  approved: z
    .strictObject({
      by: z.array(NAME).min(1),
      groups: z.array(NAME).min(1),
      at: z.iso.datetime({ offset: true }).optional(),
    })
    .optional(),
  expect: EXPECT,
})

export const POLICY_TEST = z.strictObject({
  kind: z.literal('PolicyTest'),
  /** For the cases that say nothing else. */
  target: TARGET.optional(),
  as: WHO.optional(),
  /** What there is on the target. Left out: what there really is, where a gateway knows it. */
  catalog: CATALOG.optional(),
  cases: z.array(CASE).min(1),
})

export type PolicyTest = z.output<typeof POLICY_TEST>
export type PolicyCase = PolicyTest['cases'][number]

function principalOf(asker: Asker): Principal | undefined {
  const { user, agent, service, groups, tags, issuer = ISSUER } = asker
  const named = [
    ['user', user],
    ['agent', agent],
    ['service', service],
  ] as const
  const [only, ...others] = named.filter(([, id]) => id !== undefined)
  const id = only?.[1]
  if (only === undefined || id === undefined || others.length > 0) return undefined
  const actingFor = asker.for === undefined ? undefined : principalOf(asker.for)
  if (asker.for !== undefined && actingFor === undefined) return undefined
  return {
    kind: only[0],
    id,
    issuer,
    subject: id,
    groups,
    attributes: tags,
    ...(actingFor === undefined ? {} : { actingFor }),
  }
}
