import { LRUCache } from 'lru-cache'
import { type Capability, capabilityOf, neededOf } from '../access/capability.ts'
import type { AccessContext, Principal, StatementReading, Target } from '../access/model.ts'
import type { DecisionPoint } from '../policy/decision-point.ts'
import { neededBy } from './privileges-for.ts'

/**
 * Each role that holds grants takes a place in the access list of every table it is granted, and PostgreSQL keeps a list in
 * one page: at some two thousand, nobody can be granted anything on that table.
 */
const MOST_SCOPES = 256
/** Longer than a role that nobody uses is there before it is dropped (the sweeper's rounds). */
const WINDOW_MS = 2 * 60_000

/**
 * What the credential for one statement can do: what that statement needs, and policy permits. A denied one gets nothing; so
 * does one that people have to approve, until they have.
 */
export class OperationScopes {
  readonly #recent = new Map<string, LRUCache<string, true>>()

  /** @param permitted what policy permits this principal, for any statement */
  scopeOf(
    who: { readonly point: DecisionPoint; readonly principal: Principal; readonly target: Target },
    reading: StatementReading,
    permitted: Capability,
    context: AccessContext,
  ): Capability {
    const mayWrite = !reading.facts.readOnly && !permitted.readOnly
    if (!isPermitted(who, reading, context)) return capabilityOf([], [], mayWrite)
    const { grants, createIn } = neededBy(reading)
    // Names tables, and nobody has said what the target will check on them.
    if (reading.needs.length === 0 && grants.length > 0) return permitted
    const scope = capabilityOf(
      neededOf(grants, permitted).grants,
      createIn.filter((schema) => permitted.createIn.includes(schema)),
      mayWrite,
    )
    return this.#hasRoom(who.target, scope) ? scope : permitted
  }

  /** Whoever thinks up ever new statements gets a session's credential for them, in place of one for each. */
  #hasRoom(target: Target, scope: Capability): boolean {
    let recent = this.#recent.get(target.name)
    if (recent === undefined) {
      recent = new LRUCache({ max: MOST_SCOPES, ttl: WINDOW_MS })
      this.#recent.set(target.name, recent)
    }
    if (!recent.has(scope.hash)) {
      recent.purgeStale()
      if (recent.size >= MOST_SCOPES) return false
    }
    recent.set(scope.hash, true)
    return true
  }
}

/** Decides nothing: the relay asks, and records, before the statement is forwarded. */
function isPermitted(
  { point, principal, target }: Parameters<OperationScopes['scopeOf']>[0],
  { operations, facts }: StatementReading,
  context: AccessContext,
): boolean {
  if (facts.reading === 'opaque') return false
  return operations.every(
    (operation) => point.decide({ principal, target, operation, facts, context }).effect === 'permit',
  )
}
