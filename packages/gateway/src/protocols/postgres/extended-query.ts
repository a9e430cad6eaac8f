import type { Guard, Verdict } from '../contract.ts'
import { readCString } from '../wire/cstring.ts'
import { changedSince, isOnlyPrepared, needsApproval, tooLateToAsk } from './approval-gate.ts'
import { describedBy, describes, isDescribed } from './asked-description.ts'
import { parameterTypes } from './bind-parameters.ts'
import { malformed, UNUSABLE_NAME } from './frontend-bounds.ts'
import type { FrontendRules } from './frontend-rules.ts'
import type { Outcome } from './frontend-state.ts'
import { ENTRY } from './in-flight.ts'
import { LastParse, type ParsedStatement } from './last-parse.ts'
import { encodeDescribePortal } from './messages.ts'
import { isUsableName, type Portal, undescribed } from './named-statements.ts'
import { namedByRunning } from './statement-effects.ts'

/**
 * Parse, Execute, Describe and Close ("Extended Query"): a statement is decided when it is parsed, and looked at once more
 * when it is executed. Each message is whole, in [at, next).
 */
export class ExtendedQuery {
  readonly #rules: FrontendRules
  #ahead: Buffer | undefined
  readonly #last = new LastParse()

  constructor(rules: FrontendRules) {
    this.#rules = rules
  }

  /** What the gateway has to say itself, in front of the message that was looked at last. It is given once. */
  takeAhead(): Buffer | undefined {
    const ahead = this.#ahead
    if (ahead !== undefined) this.#ahead = undefined
    return ahead
  }

  /** Parse: String(name) String(query) Int16 Int32[] */
  parse(bytes: Buffer, at: number, next: number): Outcome {
    const { state, decisions, replaced } = this.#rules
    const { bareNames } = decisions
    const last = this.#last.find(bytes, at, next)
    if (last !== undefined && last.names === bareNames && last.verdict.epoch === state.guard.epoch) {
      return this.#parsed(last, state.guard.recorder.statement(last.text, last.verdict))
    }
    const name = readCString(bytes, at + 5, next)
    const query = name && readCString(bytes, name.next, next)
    if (!name || !query) throw malformed('a Parse message is not terminated')
    if (!isUsableName(name.text)) return replaced.refuse(UNUSABLE_NAME, ENTRY.parse)
    const decided = decisions.decide(bytes, name.next, query.next - 1)
    if (decided === undefined) return 'wait'
    const { verdict } = decided
    // To be parsed is harmless; people are asked when it is bound.
    const isToBeParsed = verdict.permitted || needsApproval(verdict)
    const known = isToBeParsed
      ? (decided.known ?? decisions.knownAgain(verdict, bytes, name.next, query.next - 1, query.text))
      : undefined
    if (isToBeParsed && known === undefined) return 'wait'
    const number = state.guard.recorder.statement(query.text, verdict)
    if (known === undefined) return replaced.deny(verdict, number, ENTRY.parse)
    const types = parameterTypes(bytes, query.next, next)
    const statement = { name: name.text, text: query.text, types, known, verdict, names: bareNames }
    if (decided.known === undefined) this.#last.keep(bytes, at, next, statement)
    return this.#parsed(statement, number)
  }

  #parsed({ name, text, types, known, verdict }: ParsedStatement, number: number): Outcome {
    const { state, batch } = this.#rules
    const value = { number, text, known, verdict, types, result: undescribed() }
    const named = { kind: 'statement', name, value } as const
    state.names.propose(named)
    batch.sent(ENTRY.parse, number, named)
    return 'forward'
  }

  /** Execute: String(portal) Int32(row limit) */
  execute(bytes: Buffer, at: number, next: number): Outcome {
    const { state, batch, answers, decisions, replaced, approval } = this.#rules
    const { guard, names } = state
    const name = readCString(bytes, at + 5, next)
    const portal = name && names.portal(name.text)
    if (portal === 'unsettled') return answers.wait()
    if (portal === undefined) {
      return replaced.unknown('34000', `portal "${name?.text ?? ''}" does not exist`, ENTRY.execute)
    }
    const { prepared } = portal
    const verdict =
      portal.approved === undefined
        ? decisions.stillPermitted(prepared, portal.names)
        : stillApproved(portal, guard)
    if (verdict === undefined) return 'wait'
    if (!verdict.permitted && !(needsApproval(verdict) && isOnlyPrepared(prepared.known))) {
      const again = guard.recorder.statement(prepared.text, verdict)
      return replaced.deny(tooLateToAsk(verdict), again, ENTRY.execute)
    }
    const isRun = approval.executes()
    const number = guard.recorder.execute(portal.approved?.number ?? prepared.number, portal.parameters)
    const named = namedByRunning(state, prepared.known, prepared.number, prepared.text, prepared.verdict)
    portal.masks = verdict.masks
    const isAsNeeded = verdict.masks === undefined && guard.hidden === undefined
    if (!isAsNeeded && !isDescribed(portal)) this.#askFor(portal, name?.text ?? '')
    batch.sent(ENTRY.execute, number, named, undefined, isAsNeeded ? undefined : portal)
    return isRun ? 'run' : 'forward'
  }

  /** What is masked has to be described; a driver that knows the columns from before does not ask. */
  #askFor(portal: Portal, name: string): void {
    describes(this.#rules.batch, describedBy(portal, true))
    this.#ahead = encodeDescribePortal(name)
  }

  /** Describe: Byte1('S' statement or 'P' portal) String(name) */
  describe(bytes: Buffer, at: number, next: number): Outcome {
    const { state, batch, answers } = this.#rules
    const { names } = state
    const name = readCString(bytes, at + 6, next)
    if (name === undefined) throw malformed('a Describe message is not terminated')
    const subject = bytes[at + 5] === 0x53 ? names.statement(name.text) : names.portal(name.text)
    if (subject === 'unsettled') return answers.wait()
    describes(batch, describedBy(subject, false))
    return 'forward'
  }

  /** Close: Byte1('S' statement or 'P' portal) String(name) */
  close(bytes: Buffer, at: number, next: number): Outcome {
    const { state, batch, replaced } = this.#rules
    const name = readCString(bytes, at + 6, next)
    if (name === undefined) throw malformed('a Close message is not terminated')
    if (!isUsableName(name.text)) return replaced.refuse(UNUSABLE_NAME, ENTRY.close)
    const kind = bytes[at + 5] === 0x53 ? 'statement' : 'portal'
    const named = { kind, name: name.text, value: undefined } as const
    state.names.propose(named)
    batch.sent(ENTRY.close, -1, named)
    return 'forward'
  }
}

/** A portal runs once, so that what is executed again is the rest of what was approved. */
function stillApproved({ approved, prepared }: Portal, { epoch }: Pick<Guard, 'epoch'>): Verdict {
  const { verdict } = approved ?? prepared
  return verdict.epoch === epoch ? verdict : changedSince(verdict, epoch)
}
