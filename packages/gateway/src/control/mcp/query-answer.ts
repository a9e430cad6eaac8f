import type { CallToolResult } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { MaskedColumn } from '../../access/masking.ts'
import { type ApprovalAnswer as Asked, ApprovalAnswer, whatToDo } from './approval-answer.ts'
import type { QueryResult } from './portal-query.ts'
import { failureText, type ToolFailure } from './tool-failure.ts'

/** What the `query` tool answers, refused or not. */
export const QueryAnswer = z.object({
  decision: z.object({
    /** `pending`: people have been asked. `none`: it did not come to a decision. */
    effect: z.enum(['permit', 'deny', 'pending', 'none']),
    id: z.string().optional(),
    policies: z.array(z.string()).optional(),
    reason: z.string().optional(),
    hint: z.string().optional(),
  }),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  rows: z.array(z.array(z.json())).describe('one array per row, in the order of columns'),
  rowCount: z.number().int().describe('rows returned, or rows affected by a statement that returns none'),
  truncated: z.boolean().describe('true: there are more rows than these'),
  masked: z
    .array(z.object({ column: z.string(), class: z.string(), method: z.string() }))
    .describe('columns whose values are not the real ones, for which data class they were masked, and how'),
  approval: ApprovalAnswer.optional(),
  sessionId: z.string().optional(),
  requestId: z.string(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
})
export type QueryAnswer = z.infer<typeof QueryAnswer>

interface Around {
  readonly requestId: string
  readonly sessionId: string | undefined
  /** What was masked in the session, result by result. */
  readonly masked: readonly MaskedColumn[]
}

/** Rows as one JSON array per line: what a model reads best, and nothing in a value can look like another row. */
export function answered(result: QueryResult, around: Around): CallToolResult {
  const { requestId, sessionId } = around
  const masked = maskedOnce(around.masked)
  const { columns, rows, rowCount, truncated, tag } = result
  const structuredContent: QueryAnswer = {
    decision: { effect: 'permit' },
    columns: columns.map((column) => ({ ...column })),
    rows: rows.map((row) => [...row]),
    rowCount,
    truncated: truncated !== undefined,
    masked,
    ...(sessionId === undefined ? {} : { sessionId }),
    requestId,
  }
  const lines =
    columns.length === 0
      ? [tag === '' ? 'OK, nothing was run' : `OK: ${tag}`]
      : [
          `${rowCount} ${rowCount === 1 ? 'row' : 'rows'}`,
          JSON.stringify(columns.map(({ name }) => name)),
          ...rows.map((row) => JSON.stringify(row)),
        ]
  if (masked.length > 0) {
    const which = masked.map((one) => `${one.column} (${one.class}, ${one.method})`)
    lines.push(
      `MASKED: the values of ${which.join(', ')} are not the real ones; policy hides those from you.`,
    )
  }
  if (truncated !== undefined) {
    lines.push(
      `TRUNCATED: there are more rows; the limit on ${truncated} cut them off. ` +
        'Narrow the query with WHERE, aggregate, select fewer columns, or page with ORDER BY and LIMIT.',
    )
  }
  return { content: [{ type: 'text', text: lines.join('\n') }], structuredContent: { ...structuredContent } }
}

/**
 * People have been asked, and have not decided yet. No error: there is nothing that the agent should do differently. What it
 * can do is in the structured result too, because that is what models are shown.
 */
export function pending(
  asked: Asked,
  failure: ToolFailure,
  { requestId, sessionId }: Around,
): CallToolResult {
  const { message, policies, decisionId } = failure
  const hint = whatToDo(asked)
  const structuredContent: QueryAnswer = {
    decision: {
      effect: 'pending',
      ...(decisionId === undefined ? {} : { id: decisionId }),
      policies: [...policies],
      reason: message,
      hint,
    },
    columns: [],
    rows: [],
    rowCount: 0,
    truncated: false,
    masked: [],
    approval: asked,
    ...(sessionId === undefined ? {} : { sessionId }),
    requestId,
  }
  const text = `PENDING: the statement has not run; ${message}\n${hint}\nrequest: ${requestId}`
  return { content: [{ type: 'text', text }], structuredContent: { ...structuredContent } }
}

export function refused(failure: ToolFailure, { requestId, sessionId }: Around): CallToolResult {
  const { effect, code, message, hint, policies, decisionId } = failure
  const advice = hint === undefined ? {} : { hint }
  const structuredContent: QueryAnswer = {
    decision: {
      effect,
      ...(decisionId === undefined ? {} : { id: decisionId }),
      ...(effect === 'deny' ? { policies: [...policies], reason: message, ...advice } : {}),
    },
    columns: [],
    rows: [],
    rowCount: 0,
    truncated: false,
    masked: [],
    ...(sessionId === undefined ? {} : { sessionId }),
    requestId,
    error: { code, message, ...advice },
  }
  return {
    isError: true,
    content: [{ type: 'text', text: failureText(failure, requestId) }],
    structuredContent: { ...structuredContent },
  }
}

/** Each column once, however many results of a portal it was in. */
function maskedOnce(masked: readonly MaskedColumn[]): QueryAnswer['masked'] {
  const columns = masked.map(({ column, dataClass, method }) => ({ column, class: dataClass, method }))
  return [...new Map(columns.map((one) => [JSON.stringify(one), one])).values()]
}
