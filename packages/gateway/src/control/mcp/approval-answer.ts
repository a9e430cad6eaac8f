import { z } from 'zod'
import type { Approval } from '../../approvals/ports.ts'

/** How it stands with a request for approval, as an agent is told. */
export const ApprovalAnswer = z.object({
  id: z.string(),
  state: z.enum(['pending', 'granted', 'denied', 'expired', 'withdrawn', 'used']),
  url: z.string().describe('where a person decides; nothing that the agent can do there'),
  target: z.string(),
  expiresAt: z.iso.datetime(),
  approvers: z.array(z.string()).describe('groups whose members can decide'),
  because: z.string().optional().describe('why it is over'),
})
export type ApprovalAnswer = z.infer<typeof ApprovalAnswer>

/** @param publicUrl of the gateway */
export function approvalAnswer(approval: Approval, publicUrl: string): ApprovalAnswer {
  const { id, state, target, expiresAt, need, closedBecause } = approval
  return {
    id,
    state,
    url: `${publicUrl}/approvals/${id}`,
    target,
    expiresAt: expiresAt.toISOString(),
    approvers: [...new Set(need.rules.flatMap(({ approvers }) => approvers))].toSorted(),
    ...(closedBecause === undefined ? {} : { because: closedBecause }),
  }
}

/** What the model is to do now. It cannot approve anything, nor should it try. */
export function whatToDo({ id, state, url, expiresAt, approvers, because }: ApprovalAnswer): string {
  const why = because === undefined ? '' : `: ${because}`
  switch (state) {
    case 'pending':
      return (
        `Waiting for a person of ${approvers.join(', ')}, until ${expiresAt}. Tell the user that it is decided at ${url}, ` +
        `then call check_approval with id ${id} to wait for it. Once it is granted, call query again with the identical ` +
        'statement, target and params: it runs then. Do not change the statement, and do not look for another way.'
      )
    case 'granted':
      return `Granted. Call query again with the identical statement, target and params, before ${expiresAt}.`
    case 'denied':
      return `Denied${why}. Do not ask for the same again, and do not look for another way; tell the user.`
    case 'expired':
    case 'withdrawn':
      return `It is ${state}${why}. Calling query again asks people again, if it is still wanted.`
    case 'used':
      return 'It was used: the statement was run. Running it again needs a new approval.'
    default:
      return state satisfies never
  }
}
