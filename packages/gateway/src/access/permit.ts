import { AccessDenied } from './errors.ts'
import type { Decision, Obligation, Principal, Target } from './model.ts'

/** Proof that policy was asked and said yes. The private field makes it nominal: no look-alike object type-checks. */
export class Permit {
  readonly #principal: Principal
  readonly target: Target
  readonly obligations: readonly Obligation[]
  readonly policies: readonly string[]

  private constructor(
    principal: Principal,
    target: Target,
    obligations: readonly Obligation[],
    policies: readonly string[],
  ) {
    this.#principal = principal
    this.target = target
    this.obligations = obligations
    this.policies = policies
  }

  get principal(): Principal {
    return this.#principal
  }

  /**
   * Deny-biased: an obligation that nobody can carry out turns a permit into a denial (XACML 3.0 §7.2.2).
   * @throws AccessDenied when the decision is a denial, or has an obligation that is not in `discharges`
   */
  static from(
    decision: Decision,
    principal: Principal,
    target: Target,
    discharges: ReadonlySet<Obligation['kind']>,
  ): Permit {
    if (decision.effect === 'deny') {
      throw new AccessDenied(decision.code ?? 'ACCESS_POLICY_DENIED', decision.reason, {
        policies: decision.policies,
        ...(decision.hint === undefined ? {} : { hint: decision.hint }),
      })
    }
    const unmet = decision.obligations.find((obligation) => !discharges.has(obligation.kind))
    if (unmet) {
      throw new AccessDenied(
        'ACCESS_OBLIGATION_UNMET',
        `${target.protocol} cannot carry out "${unmet.kind}"`,
        {
          policies: decision.policies,
          hint: 'change the policy that asks for it, or use a protocol that can',
        },
      )
    }
    return new Permit(principal, target, decision.obligations, decision.policies)
  }

  static is(value: unknown): value is Permit {
    return typeof value === 'object' && value !== null && #principal in value
  }
}
