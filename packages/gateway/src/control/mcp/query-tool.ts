import type { CallToolResult, McpServer, ServerContext } from '@modelcontextprotocol/server'
import { DatabaseError } from 'pg'
import { z } from 'zod'
import { SallyportError } from '../../access/errors.ts'
import type { ControlServices, InProcessSession } from '../services.ts'
import type { InFlightCalls } from './in-flight-calls.ts'
import { approvalAnswer } from './approval-answer.ts'
import { answered, pending, QueryAnswer, refused } from './query-answer.ts'
import { reportProgress } from './report-progress.ts'
import { runQuery } from './run-query.ts'
import type { ToolCaller } from './tool-caller.ts'
import { failureOf } from './tool-failure.ts'
import { targetNamed } from './target-named.ts'

/** Longer than any answer an agent waits for with reason, shorter than the longest ticket. */
const TIMEOUT_MS = 5 * 60 * 1000
/** Shorter than what any client waits for a silent call; whoever wants to wait longer asks again. */
export const HOLD_MS = 45_000
/** The statement and what is around it have to fit into the recording. */
const MAX_SQL = 1_000_000
/** The protocol's own limit on parameters (Bind: Int16, unsigned). */
const MAX_PARAMETERS = 65_535

const Input = z.object({
  target: z.string().max(256).describe('name of the target, from list_targets'),
  sql: z.string().min(1).max(MAX_SQL).describe('one SQL statement; values as $1, $2 … with params'),
  params: z
    .array(z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .max(MAX_PARAMETERS)
    .optional()
    .describe('values for $1, $2 …'),
  maxRows: z.number().int().min(1).max(1000).default(100).describe('rows returned at most'),
  maxBytes: z
    .number()
    .int()
    .min(1)
    .max(1024 * 1024)
    .default(64 * 1024)
    .describe('bytes of values returned at most'),
  purpose: z.string().max(1024).optional().describe('what this is for, in a sentence; it is recorded'),
})
type Input = z.output<typeof Input>

/** `query`: one statement, in a session of its own, on the same path as every other client's. */
export function addQueryTool(
  server: McpServer,
  services: ControlServices,
  caller: ToolCaller,
  calls: InFlightCalls,
): void {
  server.registerTool(
    'query',
    {
      title: 'Query a database',
      description:
        'Runs one SQL statement on a PostgreSQL target. Every statement is decided by policy and recorded; what is not ' +
        'permitted is refused with the reason. Some statements need a person’s approval: the call waits for it, and ' +
        'answers `pending` when that takes longer. Returns at most maxRows rows and says when it cut them off.',
      inputSchema: Input,
      outputSchema: QueryAnswer,
      annotations: {
        readOnlyHint: false,
        destructiveHint: true,
        idempotentHint: false,
        openWorldHint: false,
      },
      _meta: { 'anthropic/alwaysLoad': true },
    },
    async (input, context) => {
      using call = calls.begin(caller, context.mcpReq.id)
      using _ = reportProgress(
        context,
        `the query on ${input.target} is running`,
        services.settings.progressMs,
      )
      return await query(input, context, call.signal, services, caller)
    },
  )
}

async function query(
  input: Input,
  { mcpReq }: ServerContext,
  cancelled: AbortSignal,
  services: ControlServices,
  caller: ToolCaller,
): Promise<CallToolResult> {
  const timeoutMs = services.settings.queryTimeoutMs ?? TIMEOUT_MS
  const approvalHoldMs = services.settings.approvalHoldMs ?? HOLD_MS
  using deadline = new Deadline(timeoutMs)
  let approvalId: string | undefined
  const signal = AbortSignal.any([mcpReq.signal, cancelled, deadline.signal])
  let session: InProcessSession | undefined
  const around = () => ({
    requestId: caller.requestId,
    sessionId: session?.sessionId(),
    masked: session?.masked() ?? [],
  })
  try {
    const toolUseId = toolUseIdOf(mcpReq._meta)
    session = await services.openSession(
      {
        principal: caller.principal,
        target: targetNamed(services, input.target),
        via: 'mcp',
        sourceIp: caller.sourceIp,
        statement: input.sql,
        ...(input.purpose === undefined ? {} : { purpose: input.purpose }),
        ...(caller.clientName === undefined ? {} : { clientName: caller.clientName }),
        ...(caller.clientSession === undefined ? {} : { clientSession: caller.clientSession }),
        ...(toolUseId === undefined ? {} : { toolUseId }),
        approvalHoldMs,
        onApproval: (id) => {
          approvalId = id
          // People's time is not the query's.
          deadline.begin(approvalHoldMs + timeoutMs)
        },
      },
      signal,
    )
    const { sql, params, maxRows, maxBytes } = input
    const name = caller.clientName === undefined ? {} : { applicationName: caller.clientName }
    const result = await runQuery(
      session,
      { sql, parameters: params ?? [], maxRows, maxBytes, ...name },
      signal,
    )
    return answered(result, around())
  } catch (thrown) {
    // Only the client's own word takes a request back: a stream can end for other reasons, and the agent may come again.
    if (cancelled.aborted && approvalId !== undefined) withdraw(services, caller, approvalId)
    const failure = failureOf(explained(thrown, signal, deadline.signal, timeoutMs, services, caller))
    if (failure.code !== 'APPROVAL_PENDING' || approvalId === undefined) return refused(failure, around())
    const approval = await services.approvals.get(approvalId).catch(() => undefined)
    if (approval === undefined) return refused(failure, around())
    return pending(approvalAnswer(approval, services.settings.publicUrl), failure, around())
  }
}

function withdraw(
  { approvals, log }: ControlServices,
  { principal, requestId }: ToolCaller,
  id: string,
): void {
  approvals.revoke(id, principal, 'the call was cancelled').catch((error: unknown) => {
    // Decided or expired meanwhile: then nothing waits any more.
    if (SallyportError.from(error).code === 'APPROVAL_DECIDED') return
    log.warn({ err: error, requestId, approval: id }, 'the request of a cancelled call was not withdrawn')
  })
}

/** Aborts so many milliseconds after it was last begun. */
class Deadline implements Disposable {
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout

  constructor(ms: number) {
    this.#timer = this.#after(ms)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  begin(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = this.#after(ms)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  #after(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(), ms)
  }
}

/** A session that we ended, or that broke off, says nothing of use itself. */
function explained(
  thrown: unknown,
  signal: AbortSignal,
  deadline: AbortSignal,
  timeoutMs: number,
  { log }: ControlServices,
  { requestId }: ToolCaller,
): unknown {
  if (thrown instanceof SallyportError || thrown instanceof DatabaseError) return thrown
  if (deadline.aborted) {
    return new SallyportError(
      'LIMIT_REACHED',
      `the query took longer than ${timeoutMs / 1000} s and was ended`,
      {
        hint: 'ask for less at once: a narrower WHERE, an aggregate, an indexed column',
      },
    )
  }
  if (signal.aborted)
    return new SallyportError('SESSION_ENDED', 'the call was cancelled, and its session ended')
  log.warn({ err: thrown, requestId }, 'the session of an MCP query broke off')
  return new SallyportError('SESSION_ENDED', 'the session ended before the query was answered', {
    hint: 'whether the statement took effect is not known; look before you run it again',
  })
}

/** Claude Code sends the id of the model's tool call along. A claim, and bounded as one. */
function toolUseIdOf(meta: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const id = meta?.['claudecode/toolUseId']
  return typeof id === 'string' && /^[\w-]{1,128}$/.test(id) ? id : undefined
}
