import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError, type ApprovalSummary } from '@sallyport/api'
import { stateText } from './approval-picture.ts'
import type { CommandContext } from './command-context.ts'
import { EXIT } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { visible } from './output.ts'
import { principalText } from './principal-text.ts'
import { print, tell } from './world.ts'

/** Between attempts to reach a gateway that has gone. */
const RETRY_MS = 2000

/** Prints what waits, then everything that happens, until the process is stopped. */
export async function watchAll(context: CommandContext, mine: boolean): Promise<never> {
  const known = new Map<string, string>()
  let cursor: string | undefined
  for (;;) {
    try {
      if (cursor === undefined) {
        // The cursor first: what happens between the two is then told twice rather than never.
        const { cursor: here } = await context.api.approvals.watch({ wait: 0 })
        const { approvals } = await context.api.approvals.list({ state: 'pending', limit: 500 })
        for (const approval of approvals.toReversed()) await show(context, 'pending', approval, mine, known)
        cursor = here
      }
      const answer = await context.api.approvals.watch({ cursor })
      for (const { type, approval } of answer.events) await show(context, type, approval, mine, known)
      cursor = answer.missed ? undefined : answer.cursor
    } catch (error) {
      if (!isAway(error)) throw error
      tell(context.world, 'no answer from the gateway; trying again')
      cursor = undefined
      await sleep(RETRY_MS)
    }
  }
}

/**
 * Waits until one request is decided.
 * @param deadline epoch milliseconds
 * @throws CliFailure APPROVAL_PENDING when the deadline comes first, APPROVAL_DENIED or APPROVAL_EXPIRED when it is not granted
 */
export async function watchOne(
  context: CommandContext,
  id: string,
  deadline: number,
): Promise<ApprovalSummary> {
  for (;;) {
    const { cursor } = await context.api.approvals.watch({ wait: 0 })
    const approval = await context.api.approvals.get(id)
    if (approval.state !== 'pending') return granted(approval)
    const left = Math.ceil((deadline - Date.now()) / 1000)
    if (left <= 0) {
      throw new CliFailure(EXIT.approvalPending, 'APPROVAL_PENDING', `${id} still waits for people`, {
        why: approval.reason,
        policies: approval.policies,
        hint: `sallyport approvals watch ${id}`,
      })
    }
    // Whatever happens, to this one or another, it is looked at again.
    await context.api.approvals.watch({ cursor, wait: Math.min(left, 25) })
  }
}

function granted(approval: ApprovalSummary): ApprovalSummary {
  const { id, state, closedBecause, policies } = approval
  if (state === 'granted' || state === 'used') return approval
  const code = state === 'denied' ? 'APPROVAL_DENIED' : 'APPROVAL_EXPIRED'
  throw new CliFailure(EXIT.approvalRefused, code, `${id} is ${state}`, {
    why: closedBecause,
    policies,
    hint: 'do something else, or run the statement again to ask again',
  })
}

async function show(
  { world, format }: CommandContext,
  type: string,
  approval: ApprovalSummary,
  mine: boolean,
  known: Map<string, string>,
): Promise<void> {
  if (mine && !approval.yours && !known.has(approval.id)) return
  const told = `${approval.state} ${approval.uses} ${approval.rules.map(({ missing }) => missing).join()}`
  if (known.get(approval.id) === told) return
  known.set(approval.id, told)
  if (format !== 'table') return print(world, `${JSON.stringify({ type, approval })}\n`)
  const { id, principal, target, operations, summary } = approval
  const what = operations.length === 0 ? summary : operations.join(', ')
  await print(
    world,
    `${id}  ${visible(stateText(approval, Date.now()))}  ${principalText(principal)} → ${visible(target)}  ${visible(what)}\n`,
  )
  if (type === 'requested' || type === 'pending') await print(world, `    ${visible(summary)}\n`)
}

function isAway(error: unknown): boolean {
  return error instanceof ApiError && ['GATEWAY_UNREACHABLE', 'STORE_UNAVAILABLE'].includes(error.code)
}
