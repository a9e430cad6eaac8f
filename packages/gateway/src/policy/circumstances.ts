import type { AccessContext, Principal, Target } from '../access/model.ts'
import type { ContextPart } from './policy-uses.ts'

/**
 * All that a decision can hang on besides the policies, the operation and the statement; undefined when it hangs on the
 * moment, and cannot be kept.
 * @param parts of the context, that some policy reads
 */
export function circumstances(
  parts: ReadonlySet<ContextPart>,
  principal: Principal,
  target: Target,
  context: Omit<AccessContext, 'now'>,
): string | undefined {
  if (ofTheMoment(parts) || context.approval !== undefined) return undefined
  return JSON.stringify([
    principalKey(principal),
    [target.name, target.protocol, target.database, sorted(target.tags)],
    parts.has('sourceIp') ? context.sourceIp : null,
    parts.has('purpose') ? (context.purpose ?? null) : null,
    parts.has('via') ? context.via : null,
    parts.has('session') ? context.sessionId : null,
  ])
}

/** Whether what is decided hangs on something that is different with every call. */
export function ofTheMoment(parts: ReadonlySet<ContextPart>): boolean {
  return parts.has('time') || parts.has('lastMinute') || parts.has('lastHour')
}

/**
 * Equal for principals that no policy can tell apart: everything of a principal that policies can see, in one string.
 */
export function principalKey(principal: Principal): string {
  const { kind, id, issuer, subject, groups, attributes, actingFor } = principal
  const behalf = actingFor === undefined ? null : principalKey(actingFor)
  return JSON.stringify([kind, id, issuer, subject, groups.toSorted(), sorted(attributes), behalf])
}

function sorted(record: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1))
}
