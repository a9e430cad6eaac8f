import { SallyportError } from '../access/errors.ts'
import { narrowest } from './grant-bounds.ts'
import { mayBeSame, missing } from './may-decide.ts'
import type { Approval, ApprovalDecision } from './ports.ts'

/**
 * What a request may become, and when. Pure: the store calls these under a lock on the row, so that of two that come at
 * once the second sees what the first has done.
 */

/**
 * Somebody has decided. One "no" ends it; "yes" grants it once every rule has as many distinct people as it asks for.
 * @throws SallyportError APPROVAL_DECIDED when nothing can be decided any more, or this person has
 */
export function decided(approval: Approval, decision: ApprovalDecision): Approval {
  const now = decision.at
  assertPending(approval, now)
  if (approval.decisions.some(({ person }) => mayBeSame(person, decision.person))) {
    throw new SallyportError('APPROVAL_DECIDED', `you have already decided about ${approval.id}`, {
      hint: 'it waits for others, or for its deadline',
    })
  }
  const next = { ...approval, decisions: [...approval.decisions, decision] }
  if (decision.verdict === 'deny') {
    return closed(next, 'denied', `${decision.person.id} denied it: ${decision.reason}`, now)
  }
  if (next.need.rules.length === 0 || missing(next.need, next.decisions).some(({ people }) => people > 0)) {
    return next
  }
  const ttl = usableSeconds(next)
  const wish = narrowest(next.decisions.map((one) => one.grant))
  const grant =
    wish ?? (approval.kind === 'connection' ? { kind: 'connection' as const, seconds: ttl } : undefined)
  // However long people mean it: the policies' own limit is above theirs.
  const seconds = Math.min(ttl, grant?.seconds ?? ttl)
  return {
    ...next,
    kind: grant?.kind ?? 'statement',
    state: 'granted',
    grant: grant === undefined ? undefined : { ...grant, seconds },
    grantedAt: now,
    expiresAt: new Date(now.getTime() + seconds * 1000),
  }
}

/** Nobody waits for it any more, or a grant is revoked. Final states stay what they are. */
export function withdrawn(approval: Approval, because: string, now: Date): Approval {
  if (!isOpen(approval)) return approval
  if (isOver(approval, now)) return expired(approval, now)
  return closed(approval, 'withdrawn', because, now)
}

/** Its deadline has come. Not before: then nothing changes. */
export function expired(approval: Approval, now: Date): Approval {
  if (!isOpen(approval) || !isOver(approval, now)) return approval
  const because = approval.state === 'pending' ? 'nobody decided in time' : 'it was not used in time'
  const grantEnded = approval.state === 'granted' && approval.kind !== 'statement'
  return closed(approval, 'expired', grantEnded ? 'its time is over' : because, now)
}

/**
 * It is used, now: a statement's approval for good, a grant's once more.
 * @throws SallyportError APPROVAL_PENDING, APPROVAL_DENIED, APPROVAL_EXPIRED, APPROVAL_DECIDED (used or withdrawn)
 */
export function used(approval: Approval, now: Date): Approval {
  if (approval.state !== 'granted') throw notUsable(approval)
  if (isOver(approval, now)) {
    throw new SallyportError('APPROVAL_EXPIRED', `the approval ${approval.id} has expired`, {
      hint: 'run the statement again to ask again',
    })
  }
  const uses = approval.uses + 1
  if (approval.kind === 'statement') {
    return { ...closed(approval, 'used', 'the statement was let through', now), uses }
  }
  const max = approval.grant?.maxUses
  const last = max !== undefined && uses >= max
  return last
    ? { ...closed(approval, 'used', `it was used ${uses} times, as often as granted`, now), uses }
    : { ...approval, uses }
}

export function isOpen({ state }: Pick<Approval, 'state'>): boolean {
  return state === 'pending' || state === 'granted'
}

function isOver({ expiresAt }: Approval, now: Date): boolean {
  return now.getTime() >= expiresAt.getTime()
}

function closed(approval: Approval, state: Approval['state'], because: string, now: Date): Approval {
  return { ...approval, state, closedAt: now, closedBecause: because }
}

/** How long a request waits, and how long it can be used once it is granted: the shortest that any policy says. */
export function usableSeconds({ need }: Pick<Approval, 'need'>): number {
  return Math.min(...need.rules.map((rule) => rule.ttlSeconds))
}

function assertPending(approval: Approval, now: Date): void {
  if (approval.state !== 'pending') {
    throw new SallyportError('APPROVAL_DECIDED', `${approval.id} is ${approval.state} already`, {
      hint: `${approval.closedBecause ?? 'it was decided before you'}; \`sallyport approvals show ${approval.id}\` says more`,
    })
  }
  if (isOver(approval, now)) {
    throw new SallyportError(
      'APPROVAL_DECIDED',
      `${approval.id} has expired: the deadline was before you decided`,
    )
  }
}

function notUsable({ id, state, closedBecause }: Approval): SallyportError {
  const because = closedBecause === undefined ? '' : `: ${closedBecause}`
  switch (state) {
    case 'pending':
      return new SallyportError('APPROVAL_PENDING', `${id} still waits for people`)
    case 'denied':
      return new SallyportError('APPROVAL_DENIED', `${id} was denied${because}`)
    case 'expired':
      return new SallyportError('APPROVAL_EXPIRED', `${id} has expired${because}`)
    case 'granted':
    case 'withdrawn':
    case 'used':
      return new SallyportError('APPROVAL_DECIDED', `${id} is ${state} already${because}`, {
        hint: 'an approval is used once; run the statement again to ask again',
      })
    default:
      return state satisfies never
  }
}
