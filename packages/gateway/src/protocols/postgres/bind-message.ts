import type { RedeemedApproval, Verdict } from '../contract.ts'
import { isOnlyPrepared, needsApproval } from './approval-gate.ts'
import { bindParametersJson, boundParameters, readBindTarget, readResultFormats } from './bind-parameters.ts'
import {
  malformed,
  MAX_NAMES,
  MAX_RECORDED_BIND,
  MAX_STATEMENT,
  tooLong,
  UNUSABLE_NAME,
} from './frontend-bounds.ts'
import type { FrontendRules } from './frontend-rules.ts'
import type { Outcome } from './frontend-state.ts'
import { ENTRY } from './in-flight.ts'
import { restoreTokens } from './mask-parameters.ts'
import { type Approved, isUsableName, type Portal, type Prepared, undescribed } from './named-statements.ts'
import { isApproval } from './statement-approval.ts'
import { mayNeedApproval } from './statement-decision.ts'

/**
 * Bind: String(portal) String(statement) …. It makes a portal, and is where people are asked: all that they have to know is in
 * it, and the target already checks privileges then, and evaluates functions that the planner may.
 */
export class BindMessage {
  readonly #rules: FrontendRules

  constructor(rules: FrontendRules) {
    this.#rules = rules
  }

  /** The message is in [at, next), of which `end` may cut something off. @throws SallyportError WIRE_MALFORMED */
  bind(bytes: Buffer, at: number, next: number, end: number): Outcome {
    const { state, batch, answers, decisions, replaced, approval } = this.#rules
    const target = readBindTarget(bytes, at + 5, Math.min(next, end, at + 5 + MAX_NAMES))
    if (target === undefined) {
      if (end - at > 5 + MAX_NAMES || next <= end) throw malformed('the names in a Bind message are too long')
      return 'incomplete'
    }
    const recorded = next - at <= MAX_RECORDED_BIND
    if (recorded && next > end) return 'incomplete'
    if (!isUsableName(target.portal)) return replaced.refuse(UNUSABLE_NAME, ENTRY.bind)
    const prepared = state.names.statement(target.statement)
    if (prepared === 'unsettled') return answers.wait()
    if (prepared === undefined) {
      const why = `prepared statement "${target.statement}" does not exist`
      return replaced.unknown('26000', why, ENTRY.bind)
    }
    const { bareNames } = decisions
    if (decisions.knownNow(prepared, bareNames) === undefined) return 'wait'
    let approved: Approved | undefined
    if (mayNeedApproval(prepared, state.guard.epoch)) {
      const verdict = decisions.stillPermitted(prepared, bareNames)
      if (verdict === undefined) return 'wait'
      if (needsApproval(verdict) && !isOnlyPrepared(prepared.known)) {
        if (next - at > MAX_STATEMENT) return replaced.refuse(tooLong(next - at), ENTRY.bind)
        if (next > end) return 'incomplete'
        const asked = this.#ask(prepared, verdict, bytes, target.next, next)
        if (asked === undefined) return 'wait'
        if (!isApproval(asked)) return asked
        approval.begins(asked, target.portal)
        const number = state.guard.recorder.statement(prepared.text, asked.verdict)
        approved = { verdict: asked.verdict, number }
      } else approval.decidedOtherwise()
    }
    const { masks } = approved?.verdict ?? prepared.verdict
    const tokens = masks?.[0]?.parameters
    if (tokens !== undefined) {
      if (next - at > MAX_STATEMENT) return replaced.refuse(tooLong(next - at), ENTRY.bind)
      if (next > end) return 'incomplete'
    }
    // As the client sent them: what a token stands for is in no recording.
    const parameters = recorded
      ? bindParametersJson(bytes, target.next, next)
      : JSON.stringify([`… ${next - at} bytes of parameters`])
    // Whether its rows are looked at; where that turns out later, the target is asked what they are made of.
    const isLookedAt = masks !== undefined || state.guard.hidden !== undefined
    const portal: Portal = {
      kind: 'portal',
      prepared,
      names: bareNames,
      parameters,
      approved,
      formats: recorded && isLookedAt ? readResultFormats(bytes, target.next, next) : undefined,
      result: undescribed(),
      masks: undefined,
    }
    const named = { kind: 'portal', name: target.portal, value: portal } as const
    state.names.propose(named)
    batch.sent(ENTRY.bind, -1, named, undefined, portal)
    return (tokens && restoreTokens(bytes, at, target.next, next, tokens, prepared.types)) ?? 'forward'
  }

  #ask(
    prepared: Prepared,
    verdict: Verdict,
    bytes: Buffer,
    parametersAt: number,
    next: number,
  ): Buffer | 'flush' | RedeemedApproval | undefined {
    const parameters = boundParameters(bytes, parametersAt, next, prepared.types)
    if (parameters === undefined) {
      const why = 'the parameters in this Bind message cannot be read'
      return this.#rules.replaced.unknown('08P01', why, ENTRY.bind)
    }
    return this.#rules.approval.ask(prepared.known, prepared.text, parameters, verdict, ENTRY.bind)
  }
}
