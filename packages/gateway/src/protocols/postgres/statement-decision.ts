import type { StatementReading } from '../../access/model.ts'
import type { Verdict } from '../contract.ts'
import type { BareNames } from '../sql/search-path.ts'
import type { AwaitedAnswers } from './awaited-answers.ts'
import { withExecuted } from './executed-reading.ts'
import type { FrontendSink, FrontendState } from './frontend-state.ts'
import { withoutClosedCopies } from './mask-copy-verdict.ts'
import type { Prepared } from './named-statements.ts'
import { shapeKey } from './shape-key.ts'
import type { KnownStatement } from './statement-cache.ts'

/** The verdict on a statement's text. */
export interface Decided {
  readonly verdict: Verdict
  /** Missing where the verdict was kept from before. */
  readonly known?: KnownStatement
}

/**
 * Decides what a statement's text may do: by its shape where that was decided before, or else by what it reads as. Wherever
 * `undefined` comes back something has to come first, which is under way; the same is asked again then.
 */
export class StatementDecisions {
  readonly #state: FrontendState
  readonly #sink: FrontendSink
  readonly #answers: AwaitedAnswers

  constructor(state: FrontendState, sink: FrontendSink, answers: AwaitedAnswers) {
    this.#state = state
    this.#sink = sink
    this.#answers = answers
  }

  /** How bare names are understood now. */
  get bareNames(): BareNames {
    const { bareNames, guard } = this.#state
    return bareNames.current(guard.catalog.searchPath)
  }

  /** The verdict on the statement in [start, end). */
  decide(bytes: Buffer, start: number, end: number): Decided | undefined {
    const { guard, statements } = this.#state
    const names = this.bareNames
    const shape = shapeKey(bytes, start, end)
    const verdictKey = shape === undefined || names.key === '' ? shape : `${names.key}\0${shape}`
    if (verdictKey !== undefined) {
      const verdict = guard.verdicts.get(verdictKey)
      if (verdict !== undefined && verdict.epoch === guard.epoch) return { verdict }
    }
    const text = bytes.toString('utf8', start, end)
    const known = this.#known(bytes, start, end, text, names)
    if (known === undefined) return undefined
    const verdict = this.#authorize(known, text)
    if (verdict === undefined) return undefined
    const isByShape = verdictKey !== undefined && known.reading.dependsOn === 'shape'
    if (isByShape && verdict.reusable && !usesNames(known) && !makesNames(known)) {
      guard.verdicts.set(verdictKey, verdict)
      statements.judged(verdict, known)
    }
    return { verdict, known }
  }

  /** What a statement does whose verdict was kept from before. */
  knownAgain(
    verdict: Verdict,
    bytes: Buffer,
    start: number,
    end: number,
    text: string,
  ): KnownStatement | undefined {
    return this.#state.statements.ofVerdict(verdict) ?? this.#known(bytes, start, end, text, this.bareNames)
  }

  /**
   * Policies, the catalog or what bare names mean may have changed since the statement was prepared, and the time has. What
   * it runs by name may be something else each time.
   */
  stillPermitted(prepared: Prepared, names: BareNames): Verdict | undefined {
    const { guard } = this.#state
    const { verdict } = prepared
    const before = prepared.known
    const known = this.knownNow(prepared, names)
    if (known === undefined) return undefined
    const isSame = known === before && verdict.epoch === guard.epoch && verdict.reusable
    if (isSame && !usesNames(known)) return verdict
    const again = this.#authorize(known, prepared.text)
    if (again !== undefined) prepared.verdict = again
    return again
  }

  /** A prepared statement as it reads under these names and the current catalog. */
  knownNow(prepared: Prepared, names: BareNames): KnownStatement | undefined {
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

  /** All that a statement does: SQL's EXECUTE what the statement behind the name does, FETCH what the cursor's query does. */
  readingOf(known: KnownStatement): StatementReading | undefined {
    const { names } = this.#state
    let { reading } = known
    for (const name of known.session.executes) {
      const prepared = names.statement(name)
      if (prepared === 'unsettled') {
        this.#answers.wait()
        return undefined
      }
      const executed = prepared && this.knownNow(prepared, known.names)
      if (prepared !== undefined && executed === undefined) return undefined
      reading = withExecuted(reading, 'prepared statement', name, executed?.reading)
    }
    for (const name of known.session.fetches) {
      const cursor = names.cursor(name)
      if (cursor === 'unsettled') {
        this.#answers.wait()
        return undefined
      }
      reading = withExecuted(reading, 'cursor', name, cursor?.known.reading)
    }
    return reading
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

  #authorize(known: KnownStatement, text: string): Verdict | undefined {
    const reading = this.readingOf(known)
    return reading && withoutClosedCopies(this.#state.guard.authorize(reading, text), known.session.copies)
  }
}

/** Whether people's word could be missing before this may be bound; a permit of before is looked at when it is executed. */
export function mayNeedApproval({ verdict, known }: Prepared, epoch: number): boolean {
  return !verdict.permitted || verdict.epoch !== epoch || usesNames(known)
}

/** What it does hangs on what the session has named. */
export function usesNames({ session }: KnownStatement): boolean {
  return session.executes.length + session.fetches.length > 0
}

/** It leaves something behind that later statements hang on. */
function makesNames({ session }: KnownStatement): boolean {
  const { prepares, declares, closes, changes } = session
  return prepares !== undefined || declares !== undefined || closes.length > 0 || changes !== undefined
}
