import { z } from 'zod'

/** Where in which resource file something is wrong. Lines and columns count from 1. */
export const FileProblem = z.object({
  file: z.string(),
  line: z.number().int(),
  column: z.number().int(),
  message: z.string(),
  hint: z.string().optional(),
})
export type FileProblem = z.infer<typeof FileProblem>

/** Which member of a request is wrong, as a JSON Pointer (RFC 6901). */
export const FieldProblem = z.object({ pointer: z.string(), message: z.string() })
export type FieldProblem = z.infer<typeof FieldProblem>

/**
 * Problem details (RFC 9457 §3) with our extension members. `detail` says what failed and why, `hint` what to do.
 * `code` is one of `docs/reference/errors.md`; readers must expect codes that they do not know.
 */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  hint: z.string().optional(),
  requestId: z.string(),
  /** Of a denial: the ids of the policies that determined it. None: no policy permits it. */
  policies: z.array(z.string()).optional(),
  errors: z.array(z.union([FileProblem, FieldProblem])).optional(),
  /** Of `/readyz`: what is ready, and why the rest is not. */
  checks: z.record(z.string(), z.string()).optional(),
})
export type Problem = z.infer<typeof Problem>
