import type { CallToolResult, McpServer, ServerContext } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { SallyportError } from '../../access/errors.ts'
import { principalDigest } from '../../approvals/digest.ts'
import type { ControlServices } from '../services.ts'
import { ApprovalAnswer, approvalAnswer, whatToDo } from './approval-answer.ts'
import type { InFlightCalls } from './in-flight-calls.ts'
import { HOLD_MS } from './query-tool.ts'
import { reportProgress } from './report-progress.ts'
import type { ToolCaller } from './tool-caller.ts'
import { failedCall } from './tool-failure.ts'

const Input = z.object({
  id: z.string().max(64).describe('of the request, as query gave it'),
})

const Answer = z.object({ approval: ApprovalAnswer, next: z.string().describe('what to do now') })

/** `check_approval`: waits for people for a while, and says how it stands. There is no tool that decides. */
export function addCheckApprovalTool(
  server: McpServer,
  services: ControlServices,
  caller: ToolCaller,
  calls: InFlightCalls,
): void {
  server.registerTool(
    'check_approval',
    {
      title: 'Wait for an approval',
      description:
        'Waits until a person has decided about a statement of yours that needs approval, and says what to do next. ' +
        'Call it again while the answer is `pending`.',
      inputSchema: Input,
      outputSchema: Answer,
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
      _meta: { 'anthropic/alwaysLoad': true },
    },
    async ({ id }, context) => {
      using call = calls.begin(caller, context.mcpReq.id)
      using _ = reportProgress(context, `${id} waits for a decision`, services.settings.progressMs)
      return await check(id, context, call.signal, services, caller)
    },
  )
}

async function check(
  id: string,
  { mcpReq }: ServerContext,
  cancelled: AbortSignal,
  services: ControlServices,
  caller: ToolCaller,
): Promise<CallToolResult> {
  const { approvals, settings } = services
  try {
    const asked = await approvals.get(id)
    // Somebody else's is as good as none.
    if (asked === undefined || principalDigest(asked.principal) !== principalDigest(caller.principal)) {
      throw new SallyportError('APPROVAL_UNKNOWN', `you have no request ${id}`, {
        hint: 'call query: it says when a statement needs approval, and the id of the request',
      })
    }
    const held = AbortSignal.timeout(settings.approvalHoldMs ?? HOLD_MS)
    const now = (await approvals.settled(id, AbortSignal.any([mcpReq.signal, cancelled, held]))) ?? asked
    const approval = approvalAnswer(now, settings.publicUrl)
    const next = whatToDo(approval)
    return {
      ...(approval.state === 'denied' ? { isError: true } : {}),
      content: [{ type: 'text', text: `${approval.state.toUpperCase()}: ${next}` }],
      structuredContent: { approval, next },
    }
  } catch (thrown) {
    return failedCall(thrown, caller.requestId)
  }
}
