import type { ApprovalNeed, GrantedApproval } from '../access/approval.ts'
import { SallyportError } from '../access/errors.ts'
import type { AccessContext, Principal, Target } from '../access/model.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { Approval, Reported } from '../approvals/ports.ts'

/** A connection that policy lets nobody open without people's word. */
export interface ConnectionAsked {
  readonly principal: Principal
  readonly target: Target
  readonly context: Pick<AccessContext, 'sourceIp' | 'via'>
  readonly policyVersion: string
  readonly need: ApprovalNeed
  readonly reported: Reported
}

/** People's word for a connection, and until when it holds. */
export interface ApprovedConnection {
  readonly approval: GrantedApproval
  readonly until: Date
}

/**
 * Takes up what people have said to this connection, or asks them. Nobody is kept waiting: a client that is not logged in
 * cannot be told anything, and would give up. The request goes on without it.
 * @param onPending told which request it is
 * @throws SallyportError APPROVAL_PENDING while they have not decided; why it does not count; LIMIT_REACHED,
 *   STORE_UNAVAILABLE
 */
export async function approvedConnection(
  asked: ConnectionAsked,
  approvals: Pick<Approvals, 'request' | 'redeem'>,
  urlOf: (id: string) => string,
  onPending?: (id: string) => void,
): Promise<ApprovedConnection> {
  const { principal, target, context, policyVersion, need, reported } = asked
  const binding = {
    target: target.name,
    database: target.database,
    principal,
    policyVersion,
    statement: undefined,
  }
  const { via, sourceIp } = context
  const request = { ...binding, need, sessionId: undefined, via, sourceIp, durable: true, reported }
  const waiting = await approvals.request(request)
  const known = await Promise.race<Approval | undefined>([waiting.outcome, Promise.resolve(undefined)])
  if (known?.state === 'granted') {
    return { approval: await approvals.redeem(waiting.id, binding, need.policies), until: known.expiresAt }
  }
  onPending?.(waiting.id)
  waiting.leave('nobody waits for it')
  const who = [...new Set(need.rules.flatMap(({ approvers }) => approvers))].join(', ')
  throw new SallyportError(
    'APPROVAL_PENDING',
    `a connection to ${target.name} needs approval by ${who}: ${need.reason}`,
    {
      hint: `the request ${waiting.id} stays open until ${waiting.expiresAt.toISOString()}: it is decided at ${urlOf(waiting.id)}; connect again then`,
    },
  )
}
