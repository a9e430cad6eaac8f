import { z } from 'zod'
import { linearPattern, PatternInvalid } from '../access/linear-pattern.ts'
import { readField } from './classified-fields.ts'
import { POLICY_TEST } from './policy-test-schema.ts'

/** Targets' names become part of role names, URLs and policy ids: lower case, short, nothing to be escaped. */
const NAME = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be 1 to 63 of a–z, 0–9 and "-", and not begin with "-"')
const CLASS_NAME = z
  .string()
  .max(120)
  .regex(/^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$/, 'must be words of a–z, 0–9 and "-", joined by "."')

/** PostgreSQL's NAMEDATALEN leaves 63 bytes for an identifier. */
const IDENTIFIER = z.string().min(1).max(63)

const DAY_SECONDS = 86_400

/** `90s`, `15m`, `2h` → seconds. A credential that outlives a day is a standing one. */
const DURATION = z
  .string()
  .regex(/^[1-9][0-9]{0,5}[smh]$/, 'must be a duration like "90s", "15m" or "2h"')
  .transform((text) => Number(text.slice(0, -1)) * ({ s: 1, m: 60, h: 3600 }[text.slice(-1)] ?? 0))
  .refine((seconds) => seconds >= 30 && seconds <= DAY_SECONDS, 'must be between 30s and 24h')

const REFERENCE = z
  .strictObject({ env: z.string().min(1).optional(), file: z.string().min(1).optional() })
  .transform((ref, context): SecretReference => {
    if (ref.env !== undefined && ref.file === undefined) return { env: ref.env }
    if (ref.file !== undefined && ref.env === undefined) return { file: ref.file }
    context.addIssue({ code: 'custom', message: 'must have either "env" or "file"' })
    return z.NEVER
  })

/** `host:port`, `[::1]:5432` → host without brackets, and port. */
const ADDRESS = z.string().transform((text, context) => {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@[\]]+)):([0-9]{1,5})$/.exec(text)
  const host = parts?.[1] ?? parts?.[2]
  const port = Number(parts?.[3])
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    context.addIssue({ code: 'custom', message: 'must be "host:port", like "db.internal:5432"' })
    return z.NEVER
  }
  return { host, port }
})

const TLS = z.preprocess(
  (value) => (typeof value === 'string' ? { mode: value } : value),
  z.strictObject({
    mode: z.enum(['disable', 'require', 'verify-full']),
    /** PEM of the authorities to trust instead of the system's, or where to find it. */
    ca: z
      .union([z.string(), REFERENCE], { error: 'must be a PEM text, or have either "env" or "file"' })
      .optional(),
  }),
)

export const TARGET = z.strictObject({
  kind: z.literal('Target'),
  name: NAME,
  protocol: z.literal('postgres'),
  address: ADDRESS,
  database: IDENTIFIER,
  tls: TLS.default({ mode: 'verify-full' }),
  tags: z
    .record(z.string().min(1).max(63), z.string('must be a text: put it in quotes').max(255))
    .default({}),
  recording: z.enum(['written', 'strict']).default('written'),
  approvals: z
    .strictObject({
      /** How long a statement waits for people. Its connection, and what its transaction has locked, wait with it. */
      wait: DURATION,
    })
    .optional(),
  credentials: z.strictObject({
    issuer: z.literal('postgres-role'),
    username: IDENTIFIER,
    password: REFERENCE,
    ttl: DURATION.default(15 * 60),
    /** Two: one for the session that comes next and one for the one right behind it. */
    prewarm: z.int().min(0).max(50).default(2),
  }),
})

/** `schema.table.column`, and `->key` for what is inside of JSON. */
const FIELD = z
  .string()
  .max(400)
  .transform((text, context) => {
    const field = readField(text)
    if (field !== undefined) return field
    const message = 'must be "schema.table.column", or "schema.table.column->key" for what is inside of JSON'
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })

export const CLASSIFICATION = z.strictObject({
  kind: z.literal('Classification'),
  target: NAME,
  fields: z.array(z.strictObject({ field: FIELD, class: CLASS_NAME })).min(1),
  /** Columns of the same tables that are listed neither here nor in `fields`, those to come included. */
  unlisted: z.enum(['clear', 'mask']).default('clear'),
  /**
   * Texts and JSON of the target that have no class: looked through for what is sensitive, also for names and places, or shown
   * as they are.
   */
  texts: z.enum(['clear', 'detect', 'detect-names']).default('clear'),
  /** With `unlisted: mask`: columns that hold nothing sensitive. */
  clear: z.array(FIELD).default([]),
})

const PATTERN = z.string().superRefine((pattern, context) => {
  try {
    linearPattern(pattern)
  } catch (error) {
    if (!(error instanceof PatternInvalid)) throw error
    context.addIssue({ code: 'custom', message: error.message })
  }
})

/** `redact`, or a mapping where there is more to say: `{ method: bucket, size: 10000 }`. */
const MASK = z.preprocess(
  (value) => (typeof value === 'string' ? { method: value } : value),
  z.discriminatedUnion('method', [
    z.strictObject({ method: z.enum(['redact', 'hash', 'token', 'null']) }),
    z.strictObject({
      method: z.literal('partial'),
      keep: z.enum(['last4', 'domain', 'initials']).default('last4'),
    }),
    z.strictObject({ method: z.literal('truncate'), to: z.enum(['year', 'month']).default('year') }),
    // Millionths are the finest that a bucket is counted in; beyond 2^53 a number is not exact.
    z.strictObject({ method: z.literal('bucket'), size: z.number().min(1e-6).max(Number.MAX_SAFE_INTEGER) }),
  ]),
)

export const DATA_CLASS = z.strictObject({
  kind: z.literal('DataClass'),
  name: CLASS_NAME,
  /** Left out: as the class that it is in. */
  mask: MASK.optional(),
  /** The class of which this is a special case: what is permitted on it is permitted on this one. */
  in: CLASS_NAME.optional(),
  description: z.string().max(500).optional(),
  /** What it looks like in texts, in the syntax of RE2. */
  patterns: z.array(PATTERN).max(20).default([]),
})

export type TargetResource = z.output<typeof TARGET>
export type SecretReference = { readonly env: string } | { readonly file: string }
/** Which fields of a target hold what. Kept for masking. */
export type Classification = z.output<typeof CLASSIFICATION>
/** A kind of sensitive data, and how it is masked. Kept for masking. */
export type DataClass = z.output<typeof DATA_CLASS>

export const KINDS = {
  Target: TARGET,
  Classification: CLASSIFICATION,
  DataClass: DATA_CLASS,
  PolicyTest: POLICY_TEST,
} as const
