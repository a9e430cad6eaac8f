import type { PendingApproval, Verdict } from '../contract.ts'
import { encodeNotice } from './messages.ts'

/** What the client's user is told while a statement waits: that it does, for whom, and where they can decide. */
export function approvalNotice({ id, url, expiresAt }: PendingApproval, verdict: Verdict): Buffer {
  const rules = verdict.approval?.rules ?? []
  const who = rules.map(({ approvers, quorum }) => `${quorum} of ${approvers.join(', ')}`).join(', and ')
  const why = verdict.approval?.reason ?? verdict.reason
  return encodeNotice({
    severity: 'NOTICE',
    sqlstate: '00000',
    message: `waiting for approval ${id}${who === '' ? '' : ` by ${who}`}${why === undefined ? '' : `: ${why}`}`,
    detail: `Decide at ${url} until ${expiresAt.toISOString()}.`,
    hint: `sallyport approvals approve ${id}; to withdraw the request, cancel the statement.`,
    where: `Sallyport APPROVAL_PENDING, approval ${id}`,
  })
}
