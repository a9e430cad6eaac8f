import type { ApprovalNeed, ApprovalRule } from '../access/approval.ts'
import type { Principal } from '../access/model.ts'
import type { Approval, ApprovalDecision, Person } from './ports.ts'

/** Attributes by which an issuer may tell us a person's address; two accounts with one address are one person. */
const EMAIL = 'email'

export function personOf({ id, issuer, subject, attributes }: Principal): Person {
  const email = attributes[EMAIL]
  return { id, issuer, subject, ...(email === undefined ? {} : { email }) }
}

/**
 * Whether two accounts are, or may be, one person's: the same subject, at whatever issuer, the same id or the same
 * address. It errs on this side: then somebody else has to decide, which costs a minute.
 */
export function mayBeSame(a: Person, b: Person): boolean {
  const address = a.email?.toLowerCase()
  return (
    a.subject === b.subject || a.id === b.id || (address !== undefined && address === b.email?.toLowerCase())
  )
}

/**
 * Why this principal may not decide about the request; undefined when it may. Nothing but membership in a group that the
 * policies name entitles to it: no administrator, and nobody in the name of somebody else.
 */
export function whyNot(
  approval: Pick<Approval, 'principal' | 'need'>,
  principal: Principal,
): string | undefined {
  if (principal.kind !== 'user' || principal.actingFor !== undefined) {
    return 'only people decide, with a token of their own: no agent, no service and nobody in their name'
  }
  if (isRequester(approval.principal, principal)) {
    return 'nobody decides about a request of their own, or of an agent that acts for them'
  }
  if (entitling(approval.need, principal).length > 0) return undefined
  const groups = [...new Set(approval.need.rules.flatMap((rule) => rule.approvers))]
  return `only members of ${groups.join(', ')} decide about it`
}

/** The groups by which this principal is entitled to decide. */
export function entitling({ rules }: ApprovalNeed, { groups }: Pick<Principal, 'groups'>): readonly string[] {
  const asked = new Set(rules.flatMap((rule) => rule.approvers))
  return groups.filter((group) => asked.has(group)).toSorted()
}

/** The principal itself, the person it acts for, or another account of either. */
export function isRequester(requester: Principal, principal: Principal): boolean {
  if (mayBeSame(personOf(requester), personOf(principal))) return true
  return requester.actingFor !== undefined && isRequester(requester.actingFor, principal)
}

/** How many more people each rule needs; all zero: granted. Distinct people, counted once however often they decide. */
export function missing(
  need: ApprovalNeed,
  decisions: readonly Pick<ApprovalDecision, 'verdict' | 'person' | 'groups'>[],
): readonly { readonly rule: ApprovalRule; readonly people: number }[] {
  return need.rules.map((rule) => {
    const people: Person[] = []
    for (const { verdict, person, groups } of decisions) {
      if (verdict !== 'approve' || !groups.some((group) => rule.approvers.includes(group))) continue
      if (!people.some((one) => mayBeSame(one, person))) people.push(person)
    }
    // A rule that asks for nobody would grant by itself.
    return { rule, people: Math.max(0, Math.max(1, rule.quorum) - people.length) }
  })
}
