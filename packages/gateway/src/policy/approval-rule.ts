import type { ApprovalNeed, ApprovalRule, GrantedApproval } from '../access/approval.ts'

/** Nobody finds more people than this in time; a larger number is a slip. */
const MOST_PEOPLE = 20
const DEFAULT_TTL_SECONDS = 15 * 60
const LONGEST_TTL_SECONDS = 24 * 3600
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

/** What is wrong with an annotation. */
export interface AnnotationProblem {
  readonly annotation: string
  readonly message: string
  readonly hint: string
}

/**
 * Reads `@approvers("group:dba, group:security") @quorum("2") @ttl("15m")`.
 * @returns undefined when nobody is to be asked; problems instead when something could not be meant
 */
export function readApprovalRule(
  policy: string,
  annotations: Readonly<Record<string, string>>,
): { readonly rule?: ApprovalRule; readonly problems: readonly AnnotationProblem[] } {
  const problems: AnnotationProblem[] = []
  const { approvers, quorum, ttl } = annotations
  if (approvers === undefined) {
    for (const annotation of ['quorum', 'ttl'] as const) {
      if (annotations[annotation] === undefined) continue
      const message = `@${annotation} says nothing without @approvers`
      problems.push({ annotation, message, hint: 'add @approvers("group:…"), or remove it' })
    }
    return { problems }
  }
  const named = readGroups('approvers', approvers, 'it could never be approved')
  problems.push(...named.problems)
  const people = quorum === undefined ? 1 : /^\d{1,3}$/.test(quorum) ? Number(quorum) : 0
  if (people < 1 || people > MOST_PEOPLE) {
    const message = `@quorum("${quorum}") is no number of people`
    problems.push({ annotation: 'quorum', message, hint: `1 to ${MOST_PEOPLE}` })
  }
  const seconds = ttl === undefined ? DEFAULT_TTL_SECONDS : secondsOf(ttl)
  if (!(seconds >= 10 && seconds <= LONGEST_TTL_SECONDS)) {
    const message = `@ttl("${ttl}") is no time that an approval can last`
    problems.push({ annotation: 'ttl', message, hint: 'between "10s" and "24h", like "15m"' })
  }
  if (problems.length > 0) return { problems }
  return {
    rule: { policy, approvers: named.groups, quorum: people, ttlSeconds: seconds },
    problems,
  }
}

/**
 * Reads `"group:dba, group:security"`.
 * @param otherwise what becomes of a policy that names nobody
 */
export function readGroups(
  annotation: string,
  text: string,
  otherwise: string,
): { readonly groups: readonly string[]; readonly problems: readonly AnnotationProblem[] } {
  const problems: AnnotationProblem[] = []
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  const groups: string[] = []
  for (const word of words) {
    const group = /^group:(.+)$/.exec(word)?.[1]
    if (group !== undefined) groups.push(group)
    else {
      const message = `@${annotation}: "${word}" is no group`
      problems.push({ annotation, message, hint: `write "group:${word.replace(/^.*:/, '')}"` })
    }
  }
  if (words.length === 0) {
    const message = `@${annotation} names nobody, so that ${otherwise}`
    problems.push({ annotation, message, hint: `write @${annotation}("group:…")` })
  }
  return { groups: [...new Set(groups)].toSorted(), problems }
}

/** Several needs as one: each policy keeps its own rule, and all must be met. */
export function mergeNeeds(needs: readonly ApprovalNeed[]): ApprovalNeed {
  const rules = new Map(needs.flatMap((need) => need.rules).map((rule) => [rule.policy, rule]))
  return {
    policies: [...new Set(needs.flatMap((need) => need.policies))].toSorted(),
    rules: [...rules.values()].toSorted((a, b) => (a.policy < b.policy ? -1 : 1)),
    reason: [...new Set(needs.map((need) => need.reason))].join('; '),
  }
}

/** An approval as it would be if just enough people had said yes just now: to find out whether it would help. */
export function asIfApproved(rules: readonly ApprovalRule[], now: number): GrantedApproval {
  const people = Math.max(...rules.map(({ quorum }) => quorum))
  return {
    id: 'apr_asked',
    approvedBy: Array.from({ length: people }, (_, i) => `approver-${i + 1}`),
    groups: [...new Set(rules.flatMap(({ approvers }) => approvers))].toSorted(),
    grantedAt: now,
  }
}

function secondsOf(text: string): number {
  const [, number, unit] = /^([1-9]\d{0,5})([smh])$/.exec(text) ?? []
  return number === undefined || unit === undefined ? 0 : Number(number) * (SECONDS[unit] ?? 0)
}
