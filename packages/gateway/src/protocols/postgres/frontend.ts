import { UNKNOWN_FLOW } from '../../access/data-flow.ts'
import { SallyportError } from '../../access/errors.ts'
import type { Guard, Verdict } from '../contract.ts'
import { readCString } from '../wire/cstring.ts'
import type { BareNames } from '../sql/search-path.ts'
import { askSearchPath } from './ask-search-path.ts'
import { bindParametersJson, readBindTarget } from './bind-parameters.ts'
import { replaceDenied, replaceUnknown } from './denial.ts'
import { type Denied, ENTRY, type InFlight } from './in-flight.ts'
import { FRONTEND } from './messages.ts'
import { withExecuted } from './executed-reading.ts'
import {
  isUsableName,
  type Named,
  type NamedStatements,
  type Portal,
  type Prepared,
} from './named-statements.ts'
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

  constructor(state: FrontendState, sink: FrontendSink) {
    this.#state = state
    this.#sink = sink
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
      if (outcome === 'forward') {
        if (next > end) {
          this.#skip = next - end
          at = end
          break
        }
        at = next
      } else if (outcome === 'incomplete' || outcome === 'wait') {
        break
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

  /** Set while something can only be decided when more answers of the target's have come. */
  #onAnswers: (() => void) | undefined

  #waitForAnswers(): 'wait' {
    this.#sink.wait(
      new Promise<void>((resolve) => {
        this.#onAnswers = resolve
      }),
    )
    return 'wait'
  }

  /** To be called when answers have come. What waited for them looks again whether it can be decided now. */
  answered(): void {
    if (this.#onAnswers === undefined || (this.#state.inFlight.full && !this.#state.inFlight.skipping)) return
    this.#onAnswers()
    this.#onAnswers = undefined
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
    switch (type) {
      case FRONTEND.copyData:
        return 'forward'
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

  #query(bytes: Buffer, at: number, next: number): Outcome {
    if (bytes[next - 1] !== 0) throw malformed('a Query message is not terminated')
    const decided = this.#decide(bytes, at + 5, next - 1)
    if (decided === undefined) return 'wait'
    const text = bytes.toString('utf8', at + 5, next - 1)
    const number = this.#state.guard.recorder.statement(text, decided.verdict)
    if (!decided.verdict.permitted) return this.#replace(FRONTEND.query, decided.verdict, number, ENTRY.query)
    const { known, verdict } = decided
    this.#endBatch(ENTRY.query, number, known && this.#runs(known, number, text, verdict))
    return 'forward'
  }

  /** After a Query or Sync the target goes on whatever became of what was sent before. */
  #endBatch(
    kind: typeof ENTRY.query | typeof ENTRY.sync,
    number: number,
    named?: Named,
    denied?: Denied,
  ): void {
    this.#failed = false
    this.#isInBatch = false
    this.#state.inFlight.push(kind, number, this.#now, named, denied)
    this.#state.names.batchEnded()
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
      return { kind: 'statement', name: prepares, value: { number, text, known, verdict } }
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
    const number = guard.recorder.statement(query.text, decided.verdict)
    if (!decided.verdict.permitted) return this.#replace(FRONTEND.parse, decided.verdict, number, ENTRY.parse)
    const known =
      decided.known ??
      this.#state.statements.ofVerdict(decided.verdict) ??
      this.#known(bytes, name.next, query.next - 1, query.text, this.#bareNames())
    if (known === undefined) return 'wait'
    const value = { number, text: query.text, known, verdict: decided.verdict }
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
    const parameters = recorded
      ? bindParametersJson(bytes, target.next, next)
      : JSON.stringify([`… ${next - at} bytes of parameters`])
    const named = {
      kind: 'portal',
      name: target.portal,
      value: { prepared, names: bareNames, parameters },
    } as const
    names.propose(named)
    inFlight.push(ENTRY.bind, -1, this.#now, named)
    return 'forward'
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
    const verdict = this.#stillPermitted(portal)
    if (verdict === undefined) return 'wait'
    const { guard, inFlight } = this.#state
    if (!verdict.permitted) {
      const again = guard.recorder.statement(prepared.text, verdict)
      return this.#replace(FRONTEND.parse, verdict, again, ENTRY.execute)
    }
    const number = guard.recorder.execute(prepared.number, portal.parameters)
    const named = this.#runs(prepared.known, prepared.number, prepared.text, verdict)
    inFlight.push(ENTRY.execute, number, this.#now, named)
    return 'forward'
  }

  /**
   * Policies, the catalog or what bare names mean may have changed since the statement was prepared, and the time has. What
   * it runs by name may be something else each time. Undefined when something has to come first, which is under way.
   */
  #stillPermitted({ prepared, names }: Portal): Verdict | undefined {
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
    const { guard, names } = this.#state
    let { reading } = known
    for (const name of known.session.executes) {
      const prepared = names.statement(name)
      if (prepared === 'unsettled') {
        this.#waitForAnswers()
        return undefined
      }
      const executed = prepared && this.#knownNow(prepared, known.names)
      if (prepared !== undefined && executed === undefined) return undefined
      reading = withExecuted(reading, `prepared statement "${name}"`, executed?.reading)
    }
    for (const name of known.session.fetches) {
      const cursor = names.cursor(name)
      if (cursor === 'unsettled') {
        this.#waitForAnswers()
        return undefined
      }
      reading = withExecuted(
        reading,
        `cursor "${name}" that this session has declared`,
        cursor?.known.reading,
      )
    }
    return guard.authorize(reading)
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
    const { sessionId, nonce, inFlight } = this.#state
    const { frame, denied } = replaceDenied(type, verdict, `${sessionId}.${number}`, nonce)
    if (kind === ENTRY.query) this.#endBatch(kind, number, undefined, denied)
    else {
      inFlight.push(kind, number, this.#now, undefined, denied)
      this.#failed = true
    }
    return frame
  }

  /** As PostgreSQL would say it: drivers prepare again on 26000. Nothing was asked of policy, and nothing is recorded. */
  #unknown(sqlstate: string, message: string, kind: typeof ENTRY.bind | typeof ENTRY.execute): Buffer {
    const { nonce, inFlight } = this.#state
    const { frame, denied } = replaceUnknown(sqlstate, message, nonce)
    inFlight.push(kind, -1, this.#now, undefined, denied)
    this.#failed = true
    return frame
  }
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

type Outcome = 'forward' | 'incomplete' | 'wait' | 'finished' | Buffer

function malformed(why: string): SallyportError {
  return new SallyportError('WIRE_MALFORMED', why)
}

function tooLong(bytes: number): string {
  return `the statement is ${bytes} bytes long, and ${MAX_STATEMENT} are read at the most`
}
