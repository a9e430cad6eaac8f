import type { Guard, Verdict } from '../contract.ts'
import { readCString } from '../wire/cstring.ts'
import { changedSince, isOnlyPrepared, needsApproval, tooLateToAsk } from './approval-gate.ts'
import { describedBy, describes, isDescribed } from './asked-description.ts'
import type { AwaitedAnswers } from './awaited-answers.ts'
import { parameterTypes } from './bind-parameters.ts'
import type { FrontendBatch } from './frontend-batch.ts'
import { malformed, UNUSABLE_NAME } from './frontend-bounds.ts'
import type { FrontendState, Outcome } from './frontend-state.ts'
import { ENTRY } from './in-flight.ts'
import { encodeDescribePortal } from './messages.ts'
import { isUsableName, type Portal, undescribed } from './named-statements.ts'
import type { ReplacedMessages } from './replaced-message.ts'
import type { StatementApproval } from './statement-approval.ts'
import type { StatementDecisions } from './statement-decision.ts'
import { namedByRunning } from './statement-effects.ts'

/**
 * Parse, Execute, Describe and Close ("Extended Query"): a statement is decided when it is parsed, and looked at once more
 * when it is executed. Each message is whole, in [at, next).
 */
export class ExtendedQuery {
  readonly #state: FrontendState
  readonly #batch: FrontendBatch
  readonly #answers: AwaitedAnswers
  readonly #decisions: StatementDecisions
  readonly #replaced: ReplacedMessages
  readonly #approval: StatementApproval
  #ahead: Buffer | undefined

  constructor(
    state: FrontendState,
    batch: FrontendBatch,
    answers: AwaitedAnswers,
    decisions: StatementDecisions,
    replaced: ReplacedMessages,
    approval: StatementApproval,
  ) {
    this.#state = state
    this.#batch = batch
    this.#answers = answers
    this.#decisions = decisions
    this.#replaced = replaced
    this.#approval = approval
  }

  /** What the gateway has to say itself, in front of the message that was looked at last. It is given once. */
  takeAhead(): Buffer | undefined {
    const ahead = this.#ahead
    if (ahead !== undefined) this.#ahead = undefined
    return ahead
  }

  /** Parse: String(name) String(query) Int16 Int32[] */
  parse(bytes: Buffer, at: number, next: number): Outcome {
    const name = readCString(bytes, at + 5, next)
    const query = name && readCString(bytes, name.next, next)
    if (!name || !query) throw malformed('a Parse message is not terminated')
    if (!isUsableName(name.text)) return this.#replaced.refuse(UNUSABLE_NAME, ENTRY.parse)
    const decided = this.#decisions.decide(bytes, name.next, query.next - 1)
    if (decided === undefined) return 'wait'
    const { verdict } = decided
    // To be parsed is harmless; people are asked when it is bound.
    const isToBeParsed = verdict.permitted || needsApproval(verdict)
    const known = isToBeParsed
      ? (decided.known ?? this.#decisions.knownAgain(verdict, bytes, name.next, query.next - 1, query.text))
      : undefined
    if (isToBeParsed && known === undefined) return 'wait'
    const number = this.#state.guard.recorder.statement(query.text, verdict)
    if (known === undefined) return this.#replaced.deny(verdict, number, ENTRY.parse)
    const types = parameterTypes(bytes, query.next, next)
    const value = { number, text: query.text, known, verdict, types, result: undescribed() }
    const named = { kind: 'statement', name: name.text, value } as const
    this.#state.names.propose(named)
    this.#batch.sent(ENTRY.parse, number, named)
    return 'forward'
  }

  /** Execute: String(portal) Int32(row limit) */
  execute(bytes: Buffer, at: number, next: number): Outcome {
    const { guard, names } = this.#state
    const name = readCString(bytes, at + 5, next)
    const portal = name && names.portal(name.text)
    if (portal === 'unsettled') return this.#answers.wait()
    if (portal === undefined) {
      return this.#replaced.unknown('34000', `portal "${name?.text ?? ''}" does not exist`, ENTRY.execute)
    }
    const { prepared } = portal
    const verdict =
      portal.approved === undefined
        ? this.#decisions.stillPermitted(prepared, portal.names)
        : stillApproved(portal, guard)
    if (verdict === undefined) return 'wait'
    if (!verdict.permitted && !(needsApproval(verdict) && isOnlyPrepared(prepared.known))) {
      const again = guard.recorder.statement(prepared.text, verdict)
      return this.#replaced.deny(tooLateToAsk(verdict), again, ENTRY.execute)
    }
    const isRun = this.#approval.executes()
    const number = guard.recorder.execute(portal.approved?.number ?? prepared.number, portal.parameters)
    const named = namedByRunning(
      this.#state,
      prepared.known,
      prepared.number,
      prepared.text,
      prepared.verdict,
    )
    portal.masks = verdict.masks
    const isAsNeeded = verdict.masks === undefined && guard.hidden === undefined
    if (!isAsNeeded && !isDescribed(portal)) this.#askFor(portal, name?.text ?? '')
    this.#batch.sent(ENTRY.execute, number, named, undefined, isAsNeeded ? undefined : portal)
    return isRun ? 'run' : 'forward'
  }

  /** What is masked has to be described; a driver that knows the columns from before does not ask. */
  #askFor(portal: Portal, name: string): void {
    describes(this.#batch, { kind: 'describe', ...describedBy(portal), isOurs: true })
    this.#ahead = encodeDescribePortal(name)
  }

  /** Describe: Byte1('S' statement or 'P' portal) String(name) */
  describe(bytes: Buffer, at: number, next: number): Outcome {
    const { names } = this.#state
    const name = readCString(bytes, at + 6, next)
    if (name === undefined) throw malformed('a Describe message is not terminated')
    const subject = bytes[at + 5] === 0x53 ? names.statement(name.text) : names.portal(name.text)
    if (subject === 'unsettled') return this.#answers.wait()
    const by = subject === undefined ? { prepared: undefined, portal: undefined } : describedBy(subject)
    describes(this.#batch, { kind: 'describe', ...by, isOurs: false })
    return 'forward'
  }

  /** Close: Byte1('S' statement or 'P' portal) String(name) */
  close(bytes: Buffer, at: number, next: number): Outcome {
    const name = readCString(bytes, at + 6, next)
    if (name === undefined) throw malformed('a Close message is not terminated')
    if (!isUsableName(name.text)) return this.#replaced.refuse(UNUSABLE_NAME, ENTRY.close)
    const kind = bytes[at + 5] === 0x53 ? 'statement' : 'portal'
    const named = { kind, name: name.text, value: undefined } as const
    this.#state.names.propose(named)
    this.#batch.sent(ENTRY.close, -1, named)
    return 'forward'
  }
}

/** A portal runs once, so that what is executed again is the rest of what was approved. */
function stillApproved({ approved, prepared }: Portal, { epoch }: Pick<Guard, 'epoch'>): Verdict {
  const { verdict } = approved ?? prepared
  return verdict.epoch === epoch ? verdict : changedSince(verdict, epoch)
}
