import { UNKNOWN_FLOW } from '../../access/data-flow.ts'
import { SallyportError } from '../../access/errors.ts'
import type { StatementReading } from '../../access/model.ts'
import type { BoundParameter, Guard, RedeemedApproval, Verdict } from '../contract.ts'
import { readCString } from '../wire/cstring.ts'
import type { BareNames } from '../sql/search-path.ts'
import { askSearchPath } from './ask-search-path.ts'
import { ApprovalGate, changedSince, isOnlyPrepared, needsApproval, tooLateToAsk } from './approval-gate.ts'
import {
  bindParametersJson,
  boundParameters,
  parameterTypes,
  readBindTarget,
  readResultFormats,
} from './bind-parameters.ts'
import { replaceCancelled, replaceDenied, replaceUnknown } from './denial.ts'
import { type Denied, type Described, ENTRY, type InFlight, type QueryAnswer } from './in-flight.ts'
import { withoutClosedCopies } from './mask-copy-verdict.ts'
import { restoreTokens } from './mask-parameters.ts'
import { encodeDescribePortal, FLUSH, FRONTEND } from './messages.ts'
import { withExecuted } from './executed-reading.ts'
import {
  isUsableName,
  type Approved,
  type Named,
  type NamedStatements,
  type Portal,
  type Prepared,
  type ResultDescription,
} from './named-statements.ts'
import { PrivilegedRun } from './privileged-run.ts'
import type { SessionNames } from './session-names.ts'
import { shapeKey } from './shape-key.ts'
import type { KnownStatement, StatementCache } from './statement-cache.ts'

/** A statement that people or programs write is shorter; data belongs into parameters or COPY. */
export const MAX_STATEMENT = 1024 * 1024

/** A Bind message up to this long is looked at whole, for the recording; of a longer one only the names are. */
const MAX_RECORDED_BIND = 8192

/** Portal and statement names: PostgreSQL cuts them at 63 bytes. */
const MAX_NAMES = 1024

/** Messages whose body nobody needs but that are never long (Describe, Close, Execute, …); PostgreSQL's own bound. */
const MAX_SMALL_MESSAGE = 10_000

/** Where frontend messages go once they are decided. */
export interface FrontendSink {
  /** Bytes for the target, in order. They are sent when all that was recorded before is written. */
  forward(bytes: Buffer, start: number, end: number): void
  /** No more is consumed until `done`; what was not consumed is given again then. */
  wait(done: Promise<unknown>): void
  /** The same, for longer: that the client leaves meanwhile must be noticed. */
  listen(done: Promise<unknown>): void
  /** A message of the gateway's own for the client, now. */
  notify(frame: Buffer): void
  /** The client said that it leaves; bytes after that are not looked at. */
  terminated(): void
}

export interface FrontendState {
  readonly sessionId: string
  /** Random, per session: nobody can provoke an error that looks like a denial. */
  readonly nonce: string
  readonly guard: Guard
  readonly inFlight: InFlight
  readonly names: NamedStatements
  readonly bareNames: SessionNames
  readonly statements: StatementCache
  readonly copy: {
    /** Whether the target is taking COPY data whose end the client has not sent yet. */
    open: boolean
    /** Sent while, or just before, the target took COPY data. It answers none of them unless that COPY fails first. */
    ignoredSyncs: number
  }
  readonly transaction: {
    /** As of the last ReadyForQuery. */
    hasFailed: boolean
  }
}

/**
 * The client's messages, in one synchronous pass per chunk: each is decided and recorded in front of being forwarded,
 * and a denied one is replaced ("Message Flow", "Simple Query", "Extended Query").
 */
export class Frontend {
  readonly #state: FrontendState
  readonly #sink: FrontendSink
  /** Bytes of the current body that are still to come, and whether they are forwarded or dropped. */
  #skip = 0
  #drop = 0
  /** Something of this batch was replaced, and will fail: the target skips the rest of it, so it is not sent. */
  #failed = false
  /** Something was sent that a Sync has yet to follow. */
  #isInBatch = false
  #now = 0
  #finished = false
  readonly #gate: ApprovalGate
  /** The approved statement that the target is working on. */
  #run: PrivilegedRun | undefined
  /** What the gateway has to say itself, in front of the message that is being looked at. */
  #ahead: Buffer | undefined

  constructor(state: FrontendState, sink: FrontendSink) {
    this.#state = state
    this.#sink = sink
    this.#gate = new ApprovalGate(state, sink)
  }

  /** @returns how far `bytes` are dealt with. @throws SallyportError WIRE_MALFORMED and others, which end the session */
  consume(bytes: Buffer, start: number, end: number): number {
    if (this.#finished) return end
    this.#now = performance.now()
    // Everything in [from, at) is to be forwarded as it came, in one piece.
    let from = start
    let at = start
    if (this.#drop > 0) {
      const dropped = Math.min(this.#drop, end - at)
      this.#drop -= dropped
      at += dropped
      from = at
    }
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, end - at)
      this.#skip -= skipped
      at += skipped
    }
    while (end - at >= 5) {
      const { inFlight, names } = this.#state
      if (inFlight.full && inFlight.skipping) inFlight.dropToSync((named) => names.discard(named))
      if (inFlight.full) {
        this.#waitForAnswers()
        break
      }
      const type = bytes[at] ?? 0
      const length = bytes.readInt32BE(at + 1)
      if (length < 4) throw malformed(`a message says that it is ${length} bytes long`)
      if (this.#asksForPath(type)) break
      const next = at + 1 + length
      const outcome =
        this.#failed && type !== FRONTEND.sync && type !== FRONTEND.terminate
          ? NOTHING
          : this.#message(bytes, type, at, next, end)
      if (outcome === 'again') continue
      if (this.#ahead !== undefined) {
        if (at > from) this.#sink.forward(bytes, from, at)
        this.#sink.forward(this.#ahead, 0, this.#ahead.length)
        this.#ahead = undefined
        from = at
      }
      if (outcome === 'forward') {
        if (next > end) {
          this.#skip = next - end
          at = end
          break
        }
        at = next
      } else if (outcome === 'incomplete' || outcome === 'wait') {
        break
      } else if (outcome === 'flush') {
        // In the extended protocol the target answers only when it is asked to.
        if (at > from) this.#sink.forward(bytes, from, at)
        this.#sink.forward(FLUSH, 0, FLUSH.length)
        return at
      } else if (outcome === 'run') {
        at = next
        this.#sink.forward(bytes, from, at)
        this.#sink.forward(FLUSH, 0, FLUSH.length)
        from = at
      } else if (outcome === 'finished') {
        at = next
        this.#finished = true
        this.#sink.forward(bytes, from, at)
        this.#sink.terminated()
        return end
      } else {
        // Replaced, or left out: what came before goes first.
        if (at > from) this.#sink.forward(bytes, from, at)
        if (outcome.length > 0) this.#sink.forward(outcome, 0, outcome.length)
        if (next > end) {
          this.#drop = next - end
          at = end
          from = end
          break
        }
        at = next
        from = next
      }
    }
    if (at > from) this.#sink.forward(bytes, from, at)
    return at
  }

  /** Set while something can only be decided when more answers of the target's have come: any, or all. */
  #onAnswers: { readonly resolve: () => void; readonly all: boolean } | undefined

  #waitForAnswers(all = false): 'wait' {
    this.#sink.wait(
      new Promise<void>((resolve) => {
        this.#onAnswers = { resolve, all }
      }),
    )
    return 'wait'
  }

  /** To be called when answers have come. What waited for them looks again whether it can be decided now. */
  answered(): void {
    const { inFlight, copy } = this.#state
    const { isQuiet } = inFlight
    if (isQuiet && this.#run !== undefined && (!this.#run.isBound || inFlight.skipping)) void this.#run.end()
    // The target has failed or given up what the statement would have been a part of.
    if (inFlight.skipping) this.#gate.cancel('the target gave up what it was a part of')
    const waiting = this.#onAnswers
    if (waiting === undefined) return
    if (waiting.all ? !isQuiet && !copy.open : inFlight.full && !inFlight.skipping) return
    this.#onAnswers = undefined
    waiting.resolve()
  }

  /** The client cancels what waits for people. False when nothing does. */
  cancel(): boolean {
    return this.#gate.cancel('its client cancelled it')
  }

  /** The session is over. */
  ended(): void {
    this.#gate.ended()
    void this.#run?.end()
  }

  /**
   * With nothing on its way, a statement need not be decided under all search paths that are possible: the target is asked
   * first which one is in force. True while the answer has to be waited for.
   */
  #asksForPath(type: number): boolean {
    const { bareNames, inFlight, nonce, copy } = this.#state
    if (
      !bareNames.shouldAsk ||
      (type !== FRONTEND.query && type !== FRONTEND.parse && type !== FRONTEND.bind)
    ) {
      return false
    }
    if (inFlight.size === 0) {
      if (this.#isInBatch || copy.open || copy.ignoredSyncs > 0) return false
      const question = askSearchPath(nonce)
      this.#sink.forward(question, 0, question.length)
      inFlight.push(ENTRY.ask, -1, this.#now)
    } else if (inFlight.kind !== ENTRY.ask) return false
    this.#waitForAnswers()
    return true
  }

  #message(bytes: Buffer, type: number, at: number, next: number, end: number): Outcome {
    if (type === FRONTEND.copyData) return 'forward'
    if (this.#run !== undefined && !this.#isOfRun(this.#run, bytes, type, at, Math.min(next, end))) {
      return this.#endRun(this.#run)
    }
    switch (type) {
      case FRONTEND.query:
        if (next - at > MAX_STATEMENT) return this.#refuse(type, tooLong(next - at), ENTRY.query)
        return next > end ? 'incomplete' : this.#query(bytes, at, next)
      case FRONTEND.parse:
        this.#isInBatch = true
        if (next - at > MAX_STATEMENT) return this.#refuse(type, tooLong(next - at), ENTRY.parse)
        return next > end ? 'incomplete' : this.#parse(bytes, at, next)
      case FRONTEND.bind:
        this.#isInBatch = true
        return this.#bind(bytes, at, next, end)
      default:
    }
    if (next - at > MAX_SMALL_MESSAGE)
      throw malformed(`a message of ${next - at} bytes came where none is that long`)
    if (next > end) return 'incomplete'
    switch (type) {
      case FRONTEND.execute:
        this.#isInBatch = true
        return this.#execute(bytes, at, next)
      case FRONTEND.sync:
        if (this.#state.copy.open && !this.#failed) this.#state.copy.ignoredSyncs++
        else this.#endBatch(ENTRY.sync, -1)
        return 'forward'
      case FRONTEND.copyDone:
      case FRONTEND.copyFail:
        this.#state.copy.open = false
        this.#state.inFlight.push(ENTRY.copyEnd, -1, this.#now)
        return 'forward'
      case FRONTEND.close:
        this.#isInBatch = true
        return this.#close(bytes, at, next)
      case FRONTEND.describe:
        this.#isInBatch = true
        return this.#describe(bytes, at, next)
      case FRONTEND.flush:
        this.#isInBatch = true
        return 'forward'
      case FRONTEND.terminate:
        return 'finished'
      case FRONTEND.functionCall:
        return this.#refuse(FRONTEND.query, 'function calls by number cannot be read', ENTRY.query)
      default:
        throw malformed(`a message of type 0x${type.toString(16)} is not one that a client sends`)
    }
  }

  /** Whether a message belongs to the approved statement that is on its way, and to nothing else. */
  #isOfRun(run: PrivilegedRun, bytes: Buffer, type: number, at: number, end: number): boolean {
    switch (type) {
      case FRONTEND.copyDone:
      case FRONTEND.copyFail:
      case FRONTEND.flush:
      case FRONTEND.terminate:
        return true
      case FRONTEND.sync:
        // While it takes COPY data, the target ignores it.
        return this.#state.copy.open
      case FRONTEND.describe:
        return run.isBound
      case FRONTEND.execute:
        return run.awaits(readCString(bytes, at + 5, end)?.text ?? '')
      default:
        return false
    }
  }

  /** Nothing else goes to the target before the approved statement has ended and its privilege is gone. */
  #endRun(run: PrivilegedRun): Outcome {
    if (run.hasEnded) {
      this.#run = undefined
      return 'again'
    }
    if (this.#state.inFlight.isQuiet) {
      this.#sink.wait(run.end())
      return 'wait'
    }
    this.#waitForAnswers(true)
    return run.isBound ? 'flush' : 'wait'
  }

  #query(bytes: Buffer, at: number, next: number): Outcome {
    if (bytes[next - 1] !== 0) throw malformed('a Query message is not terminated')
    const decided = this.#decide(bytes, at + 5, next - 1)
    if (decided === undefined) return 'wait'
    const text = bytes.toString('utf8', at + 5, next - 1)
    let { known, verdict } = decided
    if (needsApproval(verdict)) {
      known ??= this.#knownAgain(verdict, bytes, at + 5, next - 1, text)
      if (known === undefined) return 'wait'
      if (!isOnlyPrepared(known)) {
        const asked = this.#ask(known, text, [], verdict, ENTRY.query)
        if (asked === undefined) return 'wait'
        if (!isApproval(asked)) return asked
        this.#run = new PrivilegedRun(asked)
        verdict = asked.verdict
      }
    } else this.#gate.decidedOtherwise()
    const number = this.#state.guard.recorder.statement(text, verdict)
    if (!verdict.permitted && !needsApproval(verdict)) {
      return this.#replace(FRONTEND.query, verdict, number, ENTRY.query)
    }
    const named = known && this.#runs(known, number, text, verdict)
    this.#endBatch(ENTRY.query, number, named, undefined, this.#queryAnswer(verdict, known))
    return 'forward'
  }

  /** After a Query or Sync the target goes on whatever became of what was sent before. */
  #endBatch(
    kind: typeof ENTRY.query | typeof ENTRY.sync,
    number: number,
    named?: Named,
    denied?: Denied,
    answer?: QueryAnswer,
  ): void {
    this.#failed = false
    this.#isInBatch = false
    this.#state.inFlight.push(kind, number, this.#now, named, denied, answer)
    this.#state.names.batchEnded()
  }

  /** Undefined where nothing has to be done to it: most statements. */
  #queryAnswer(verdict: Verdict, known: KnownStatement | undefined): QueryAnswer | undefined {
    const { masks } = verdict
    if (masks === undefined) return undefined
    const { copies } = (known ?? this.#state.statements.ofVerdict(verdict))?.session ?? { copies: [] }
    return { kind: 'query', masks, copies }
  }

  /**
   * A statement is about to be sent that the target runs: what it may change of the session's names is taken into account
   * from now on. @returns the name that SQL's own PREPARE or DECLARE makes, when it has run
   */
  #runs(known: KnownStatement, number: number, text: string, verdict: Verdict): Named | undefined {
    const { names, bareNames } = this.#state
    const { prepares, declares, closes, changes } = known.session
    if (changes !== undefined) bareNames.sent(changes)
    if (closes.length > 0) names.closing(closes)
    const named = this.#makes(known, number, text, verdict, prepares, declares)
    if (named !== undefined) names.propose(named)
    return named
  }

  #makes(
    known: KnownStatement,
    number: number,
    text: string,
    verdict: Verdict,
    prepares: string | undefined,
    declares: KnownStatement['session']['declares'],
  ): Named | undefined {
    if (prepares !== undefined)
      return {
        kind: 'statement',
        name: prepares,
        value: { number, text, known, verdict, result: undescribed() },
      }
    if (declares === undefined) return undefined
    return { kind: 'cursor', name: declares.name, value: { known, isHeld: declares.isHeld } }
  }

  /** Parse: String(name) String(query) Int16 Int32[] */
  #parse(bytes: Buffer, at: number, next: number): Outcome {
    const name = readCString(bytes, at + 5, next)
    const query = name && readCString(bytes, name.next, next)
    if (!name || !query) throw malformed('a Parse message is not terminated')
    if (!isUsableName(name.text)) return this.#refuse(FRONTEND.parse, UNUSABLE_NAME, ENTRY.parse)
    const decided = this.#decide(bytes, name.next, query.next - 1)
    if (decided === undefined) return 'wait'
    const { guard, inFlight, names } = this.#state
    const { verdict } = decided
    // To be parsed is harmless; people are asked when it is bound.
    const isToBeParsed = verdict.permitted || needsApproval(verdict)
    const known = isToBeParsed
      ? (decided.known ?? this.#knownAgain(verdict, bytes, name.next, query.next - 1, query.text))
      : undefined
    if (isToBeParsed && known === undefined) return 'wait'
    const number = guard.recorder.statement(query.text, verdict)
    if (known === undefined) return this.#replace(FRONTEND.parse, verdict, number, ENTRY.parse)
    const types = parameterTypes(bytes, query.next, next)
    const value = { number, text: query.text, known, verdict, types, result: undescribed() }
    const named = { kind: 'statement', name: name.text, value } as const
    names.propose(named)
    inFlight.push(ENTRY.parse, number, this.#now, named)
    return 'forward'
  }

  #bind(bytes: Buffer, at: number, next: number, end: number): Outcome {
    const target = readBindTarget(bytes, at + 5, Math.min(next, end, at + 5 + MAX_NAMES))
    if (target === undefined) {
      if (end - at > 5 + MAX_NAMES || next <= end) throw malformed('the names in a Bind message are too long')
      return 'incomplete'
    }
    const recorded = next - at <= MAX_RECORDED_BIND
    if (recorded && next > end) return 'incomplete'
    const { inFlight, names } = this.#state
    if (!isUsableName(target.portal)) return this.#refuse(FRONTEND.parse, UNUSABLE_NAME, ENTRY.bind)
    const prepared = names.statement(target.statement)
    if (prepared === 'unsettled') return this.#waitForAnswers()
    if (prepared === undefined) {
      return this.#unknown('26000', `prepared statement "${target.statement}" does not exist`, ENTRY.bind)
    }
    const bareNames = this.#bareNames()
    if (this.#knownNow(prepared, bareNames) === undefined) return 'wait'
    let approved: Approved | undefined
    if (this.#mayNeedApproval(prepared)) {
      const verdict = this.#stillPermitted({ prepared, names: bareNames })
      if (verdict === undefined) return 'wait'
      if (needsApproval(verdict) && !isOnlyPrepared(prepared.known)) {
        const asked = this.#askToBind(prepared, verdict, bytes, target.next, { at, next, end })
        if (asked === undefined) return 'wait'
        if (!isApproval(asked)) return asked
        this.#run = new PrivilegedRun(asked, target.portal)
        approved = { verdict: asked.verdict, number: this.#recordApproved(prepared.text, asked.verdict) }
      } else this.#gate.decidedOtherwise()
    }
    const tokens = (approved?.verdict ?? prepared.verdict).masks?.[0]?.parameters
    if (tokens !== undefined) {
      if (next - at > MAX_STATEMENT) return this.#refuse(FRONTEND.parse, tooLong(next - at), ENTRY.bind)
      if (next > end) return 'incomplete'
    }
    // As the client sent them: what a token stands for is in no recording.
    const parameters = recorded
      ? bindParametersJson(bytes, target.next, next)
      : JSON.stringify([`… ${next - at} bytes of parameters`])
    const portal: Portal = {
      kind: 'portal',
      prepared,
      names: bareNames,
      parameters,
      ...(approved === undefined ? {} : { approved }),
      formats: recorded ? readResultFormats(bytes, target.next, next) : undefined,
      result: undescribed(),
      masks: undefined,
    }
    const named = { kind: 'portal', name: target.portal, value: portal } as const
    names.propose(named)
    inFlight.push(ENTRY.bind, -1, this.#now, named, undefined, portal)
    const restored = tokens && restoreTokens(bytes, at, target.next, next, tokens, prepared.types)
    return restored ?? 'forward'
  }

  /** Execute: String(portal) Int32(row limit) */
  #execute(bytes: Buffer, at: number, next: number): Outcome {
    const name = readCString(bytes, at + 5, next)
    const portal = name && this.#state.names.portal(name.text)
    if (portal === 'unsettled') return this.#waitForAnswers()
    if (portal === undefined) {
      return this.#unknown('34000', `portal "${name?.text ?? ''}" does not exist`, ENTRY.execute)
    }
    const { prepared } = portal
    const verdict = portal.approved === undefined ? this.#stillPermitted(portal) : this.#stillApproved(portal)
    if (verdict === undefined) return 'wait'
    const { guard, inFlight } = this.#state
    if (!verdict.permitted && !(needsApproval(verdict) && isOnlyPrepared(prepared.known))) {
      const again = guard.recorder.statement(prepared.text, verdict)
      return this.#replace(FRONTEND.parse, tooLateToAsk(verdict), again, ENTRY.execute)
    }
    const run = this.#run
    const isRun = run !== undefined && run.isBound
    if (isRun) run.runs()
    const number = guard.recorder.execute(portal.approved?.number ?? prepared.number, portal.parameters)
    const named = this.#runs(prepared.known, prepared.number, prepared.text, prepared.verdict)
    portal.masks = verdict.masks
    const isAsNeeded = verdict.masks === undefined && guard.hidden === undefined
    if (!isAsNeeded && !isDescribed(portal)) this.#askFor(portal, name?.text ?? '')
    inFlight.push(ENTRY.execute, number, this.#now, named, undefined, isAsNeeded ? undefined : portal)
    return isRun ? 'run' : 'forward'
  }

  /** What is masked has to be described; a driver that knows the columns from before does not ask. */
  #askFor(portal: Portal, name: string): void {
    this.#describes({ kind: 'describe', ...describedBy(portal), isOurs: true })
    this.#ahead = encodeDescribePortal(name)
  }

  /** Describe: Byte1('S' statement or 'P' portal) String(name). What it answers is what rows are held against. */
  #describe(bytes: Buffer, at: number, next: number): Outcome {
    const { names } = this.#state
    const name = readCString(bytes, at + 6, next)
    if (name === undefined) throw malformed('a Describe message is not terminated')
    const subject = bytes[at + 5] === 0x53 ? names.statement(name.text) : names.portal(name.text)
    if (subject === 'unsettled') return this.#waitForAnswers()
    const by = subject === undefined ? { prepared: undefined, portal: undefined } : describedBy(subject)
    this.#describes({ kind: 'describe', ...by, isOurs: false })
    return 'forward'
  }

  #describes(described: Described): void {
    const { prepared, portal } = described
    if (prepared !== undefined) prepared.result.isAsked = true
    if (portal !== undefined) portal.result.isAsked = true
    this.#state.inFlight.push(ENTRY.describe, -1, this.#now, undefined, undefined, described)
  }

  /** A portal runs once, so that what is executed again is the rest of what was approved. */
  #stillApproved({ approved, prepared }: Portal): Verdict {
    const { guard } = this.#state
    const { verdict } = approved ?? prepared
    if (verdict.epoch === guard.epoch) return verdict
    return changedSince(verdict, guard.epoch)
  }

  /** Whether people's word could be missing before this may be bound; a permit of before is looked at when it is executed. */
  #mayNeedApproval({ verdict, known }: Prepared): boolean {
    const { guard } = this.#state
    return !verdict.permitted || verdict.epoch !== guard.epoch || usesNames(known)
  }

  /**
   * All that a person has to know of a Bind is in it. Nor could it be sent before: the target checks the privileges of a
   * SELECT when it is bound, and evaluates functions that the planner may.
   */
  #askToBind(
    prepared: Prepared,
    verdict: Verdict,
    bytes: Buffer,
    parametersAt: number,
    { at, next, end }: { readonly at: number; readonly next: number; readonly end: number },
  ): Outcome | RedeemedApproval | undefined {
    if (next - at > MAX_STATEMENT) return this.#refuse(FRONTEND.parse, tooLong(next - at), ENTRY.bind)
    if (next > end) return 'incomplete'
    const parameters = boundParameters(bytes, parametersAt, next, prepared.types)
    if (parameters === undefined) {
      return this.#unknown('08P01', 'the parameters in this Bind message cannot be read', ENTRY.bind)
    }
    return this.#ask(prepared.known, prepared.text, parameters, verdict, ENTRY.bind)
  }

  #recordApproved(text: string, verdict: Verdict): number {
    return this.#state.guard.recorder.statement(text, verdict)
  }

  /** What people say to a statement. It is called again for the same message until that is known; undefined while it is not. */
  #ask(
    known: KnownStatement,
    text: string,
    parameters: readonly BoundParameter[],
    verdict: Verdict,
    kind: typeof ENTRY.query | typeof ENTRY.bind,
  ): Buffer | 'flush' | RedeemedApproval | undefined {
    const reading = this.#readingOf(known)
    if (reading === undefined) return undefined
    const type = kind === ENTRY.query ? FRONTEND.query : FRONTEND.parse
    const { sessionId, nonce } = this.#state
    const word = this.#gate.ask(known, reading, text, parameters, this.#bareNames(), verdict)
    switch (word.kind) {
      case 'wait':
        return undefined
      case 'answers first':
        this.#waitForAnswers(true)
        return 'flush'
      case 'skipped':
        this.#failed = true
        return NOTHING
      case 'transaction failed':
        return this.#unknown('25P02', IN_FAILED, kind)
      case 'denied':
        return this.#replace(type, word.verdict, word.number, kind)
      case 'cancelled': {
        const replaced = replaceCancelled(type, `${sessionId}.${word.number}`, nonce)
        return this.#replaced(replaced, word.number, kind)
      }
      case 'approved': {
        const { approval } = word
        return { ...approval, verdict: withoutClosedCopies(approval.verdict, known.session.copies) }
      }
      default:
        return word satisfies never
    }
  }

  /** What a statement does whose verdict was kept from before. */
  #knownAgain(
    verdict: Verdict,
    bytes: Buffer,
    start: number,
    end: number,
    text: string,
  ): KnownStatement | undefined {
    return (
      this.#state.statements.ofVerdict(verdict) ?? this.#known(bytes, start, end, text, this.#bareNames())
    )
  }

  /**
   * Policies, the catalog or what bare names mean may have changed since the statement was prepared, and the time has. What
   * it runs by name may be something else each time. Undefined when something has to come first, which is under way.
   */
  #stillPermitted({ prepared, names }: Pick<Portal, 'prepared' | 'names'>): Verdict | undefined {
    const { guard } = this.#state
    const { verdict } = prepared
    const before = prepared.known
    const known = this.#knownNow(prepared, names)
    if (known === undefined) return undefined
    const isSame = known === before && verdict.epoch === guard.epoch && verdict.reusable
    if (isSame && !usesNames(known)) return verdict
    const again = this.#authorize(known)
    if (again !== undefined) prepared.verdict = again
    return again
  }

  /** A prepared statement as it reads under these names and the current catalog. Undefined while it is being read again. */
  #knownNow(prepared: Prepared, names: BareNames): KnownStatement | undefined {
    const { guard } = this.#state
    const { known } = prepared
    if (known.names.key === names.key && known.catalogVersion === guard.catalog.version) return known
    const bytes = Buffer.from(prepared.text)
    const again = this.#known(bytes, 0, bytes.length, prepared.text, names)
    if (again === undefined) return undefined
    prepared.known = again
    // What was decided was decided on another reading.
    prepared.verdict = { ...prepared.verdict, reusable: false }
    return again
  }

  #bareNames(): BareNames {
    const { bareNames, guard } = this.#state
    return bareNames.current(guard.catalog.searchPath)
  }

  /** Close: Byte1('S' statement or 'P' portal) String(name) */
  #close(bytes: Buffer, at: number, next: number): Outcome {
    const name = readCString(bytes, at + 6, next)
    if (name === undefined) throw malformed('a Close message is not terminated')
    if (!isUsableName(name.text)) return this.#refuse(FRONTEND.parse, UNUSABLE_NAME, ENTRY.close)
    const kind = bytes[at + 5] === 0x53 ? 'statement' : 'portal'
    const named = { kind, name: name.text, value: undefined } as const
    this.#state.names.propose(named)
    this.#state.inFlight.push(ENTRY.close, -1, this.#now, named)
    return 'forward'
  }

  /** The verdict on a statement's text; undefined when something has to come first, which then is under way. */
  #decide(bytes: Buffer, start: number, end: number): Decided | undefined {
    const { guard, statements } = this.#state
    const names = this.#bareNames()
    const shape = shapeKey(bytes, start, end)
    const verdictKey = shape === undefined || names.key === '' ? shape : `${names.key}\0${shape}`
    if (verdictKey !== undefined) {
      const verdict = guard.verdicts.get(verdictKey)
      if (verdict !== undefined && verdict.epoch === guard.epoch) return { verdict }
    }
    const text = bytes.toString('utf8', start, end)
    const known = this.#known(bytes, start, end, text, names)
    if (known === undefined) return undefined
    const verdict = this.#authorize(known)
    if (verdict === undefined) return undefined
    const isByShape = verdictKey !== undefined && known.reading.dependsOn === 'shape'
    if (isByShape && verdict.reusable && !usesNames(known) && !makesNames(known)) {
      guard.verdicts.set(verdictKey, verdict)
      statements.judged(verdict, known)
    }
    return { verdict, known }
  }

  /** What a text does. Undefined while it is being read. */
  #known(
    bytes: Buffer,
    start: number,
    end: number,
    text: string,
    names: BareNames,
  ): KnownStatement | undefined {
    const { guard, statements, sessionId } = this.#state
    const shape = shapeKey(bytes, start, end)
    const known = statements.get(shape, text, guard.catalog, names)
    if (known === undefined) this.#sink.wait(statements.read(shape, text, guard.catalog, names, sessionId))
    return known
  }

  /**
   * SQL's EXECUTE does what the statement behind the name does, FETCH what the cursor's query does. Undefined while it is
   * not settled which those are; the answers are then waited for.
   */
  #authorize(known: KnownStatement): Verdict | undefined {
    const reading = this.#readingOf(known)
    return reading && withoutClosedCopies(this.#state.guard.authorize(reading), known.session.copies)
  }

  #readingOf(known: KnownStatement): StatementReading | undefined {
    const { names } = this.#state
    let { reading } = known
    for (const name of known.session.executes) {
      const prepared = names.statement(name)
      if (prepared === 'unsettled') {
        this.#waitForAnswers()
        return undefined
      }
      const executed = prepared && this.#knownNow(prepared, known.names)
      if (prepared !== undefined && executed === undefined) return undefined
      reading = withExecuted(reading, 'prepared statement', name, executed?.reading)
    }
    for (const name of known.session.fetches) {
      const cursor = names.cursor(name)
      if (cursor === 'unsettled') {
        this.#waitForAnswers()
        return undefined
      }
      reading = withExecuted(reading, 'cursor', name, cursor?.known.reading)
    }
    return reading
  }

  /** Denied by the protocol's own rules, not by policy: what cannot be read cannot be permitted. */
  #refuse(type: number, why: string, kind: Replaced): Outcome {
    const { guard } = this.#state
    const verdict = guard.authorize({
      operations: [],
      facts: {
        hasWhere: false,
        whereIsTrivial: false,
        functions: [],
        multi: false,
        locksRows: false,
        readOnly: false,
        reading: 'opaque',
      },
      opaqueBecause: why,
      dependsOn: 'text',
      needs: [],
      flow: UNKNOWN_FLOW,
    })
    const number = guard.recorder.statement(`-- ${why}`, verdict)
    return this.#replace(type, verdict, number, kind)
  }

  #replace(type: number, verdict: Verdict, number: number, kind: Replaced): Buffer {
    const { sessionId, nonce } = this.#state
    return this.#replaced(replaceDenied(type, verdict, `${sessionId}.${number}`, nonce), number, kind)
  }

  #replaced(
    { frame, denied }: { readonly frame: Buffer; readonly denied: Denied },
    number: number,
    kind: Replaced,
  ): Buffer {
    const { inFlight } = this.#state
    if (kind === ENTRY.query) this.#endBatch(kind, number, undefined, denied)
    else {
      inFlight.push(kind, number, this.#now, undefined, denied)
      this.#failed = true
    }
    return frame
  }

  /** As PostgreSQL would say it: drivers prepare again on 26000. Nothing was asked of policy, and nothing is recorded. */
  #unknown(
    sqlstate: string,
    message: string,
    kind: typeof ENTRY.query | typeof ENTRY.bind | typeof ENTRY.execute,
  ): Buffer {
    const type = kind === ENTRY.query ? FRONTEND.query : FRONTEND.parse
    return this.#replaced(replaceUnknown(type, sqlstate, message, this.#state.nonce), -1, kind)
  }
}

function isApproval(asked: Outcome | RedeemedApproval): asked is RedeemedApproval {
  return typeof asked === 'object' && 'release' in asked
}

const IN_FAILED = 'current transaction is aborted, commands ignored until end of transaction block'

function undescribed(): ResultDescription {
  return { isAsked: false, columns: undefined }
}

/**
 * What a Describe of it says more of. A portal's columns are those of its statement, unless what that runs by name can be
 * another each time.
 */
function describedBy(subject: Prepared | Portal): Pick<Described, 'prepared' | 'portal'> {
  const portal = 'kind' in subject ? subject : undefined
  const prepared = 'kind' in subject ? subject.prepared : subject
  return { prepared: usesNames(prepared.known) ? undefined : prepared, portal }
}

/** Drivers describe a statement once and run it many times. */
function isDescribed({ result, formats, prepared }: Portal): boolean {
  return result.isAsked || (prepared.result.isAsked && formats !== undefined)
}

/** What it does hangs on what the session has named. */
function usesNames({ session }: KnownStatement): boolean {
  return session.executes.length + session.fetches.length > 0
}

/** It leaves something behind that later statements hang on. */
function makesNames({ session }: KnownStatement): boolean {
  const { prepares, declares, closes, changes } = session
  return prepares !== undefined || declares !== undefined || closes.length > 0 || changes !== undefined
}

const NOTHING = Buffer.alloc(0)

type Replaced =
  | typeof ENTRY.query
  | typeof ENTRY.parse
  | typeof ENTRY.bind
  | typeof ENTRY.execute
  | typeof ENTRY.close

const UNUSABLE_NAME = 'the name of a statement or portal is longer than 63 bytes, or not UTF-8'

interface Decided {
  readonly verdict: Verdict
  /** Missing where the verdict was kept from before. */
  readonly known?: KnownStatement
}

/**
 * What becomes of a message. `flush`: it waits, and the target is asked for its answers. `run`: it is forwarded, and its
 * answer asked for. `again`: it is to be looked at once more. Bytes are forwarded in its place.
 */
type Outcome = 'forward' | 'incomplete' | 'wait' | 'flush' | 'run' | 'again' | 'finished' | Buffer

function malformed(why: string): SallyportError {
  return new SallyportError('WIRE_MALFORMED', why)
}

function tooLong(bytes: number): string {
  return `the statement is ${bytes} bytes long, and ${MAX_STATEMENT} are read at the most`
}
