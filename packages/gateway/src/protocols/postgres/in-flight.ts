import type { ResultMasks } from '../../access/masking.ts'
import type { CopyFormat } from '../sql/copy-format.ts'
import type { Named, Portal, Prepared, ResultDescription } from './named-statements.ts'

/** What the target still has to answer, in the order in which it was sent. */
export const ENTRY = {
  query: 0,
  parse: 1,
  bind: 2,
  close: 3,
  execute: 4,
  sync: 5,
  copyEnd: 6,
  ask: 7,
  describe: 8,
} as const
export type EntryKind = (typeof ENTRY)[keyof typeof ENTRY]

/**
 * So many messages may wait for their answers before no more are read from the client. Pipelines of ORMs and of pgbench are
 * shorter; without a bound a client that never reads could grow this for ever.
 */
export const MAX_IN_FLIGHT = 16_384

/** Sent in place of a denied message; the target's complaint about it, told by `marker`, is replaced by `response`. */
export interface Denied {
  readonly marker: string
  readonly response: Buffer
  /** What `response` says. */
  readonly sqlstate: string
}

/** What is to be done to the answers to a Query. */
export interface QueryAnswer {
  readonly kind: 'query'
  /** For each statement of the text. */
  readonly masks: readonly ResultMasks[]
  readonly copies: readonly (CopyFormat | undefined)[]
}

/** What a Describe asks about; neither where it is not known here, as a cursor of SQL's. */
export interface Described {
  readonly kind: 'describe'
  readonly prepared: Prepared | undefined
  readonly portal: Portal | undefined
  /** The client has not asked, and is not told. */
  readonly isOurs: boolean
}

/** What is known of an entry beforehand, where anything has to be done to its answer. That of a Bind or Execute is its portal. */
export type Expected = QueryAnswer | Described | Portal

/** A queue in parallel arrays: an entry is pushed and popped for every message, so none may cost an object. */
export class InFlight {
  #kinds = new Uint8Array(64)
  #numbers = new Float64Array(64)
  #starts = new Float64Array(64)
  #names: (Named | undefined)[] = Array.from({ length: 64 })
  #denials: (Denied | undefined)[] = Array.from({ length: 64 })
  #expected: (Expected | undefined)[] = Array.from({ length: 64 })
  #head = 0
  #size = 0
  /** After an error in the extended protocol the target answers nothing up to the next Sync, which may not be sent yet. */
  skipping = false

  get size(): number {
    return this.#size
  }

  /** The target has answered all that it was sent; the end of COPY data has no answer of its own. */
  get isQuiet(): boolean {
    for (let i = 0; i < this.#size; i++) {
      if (this.#kinds[(this.#head + i) & (this.#kinds.length - 1)] !== ENTRY.copyEnd) return false
    }
    return true
  }

  get full(): boolean {
    return this.#size >= MAX_IN_FLIGHT
  }

  /**
   * `number`: of the recorded statement or execution, -1 for none. `startedAt`: of `performance.now()`. `named`: the name
   * that this entry makes or drops when it succeeds.
   */
  push(
    kind: EntryKind,
    number: number,
    startedAt: number,
    named?: Named,
    denied?: Denied,
    expected?: Expected,
  ): void {
    if (this.#size === this.#kinds.length) this.#grow()
    const at = (this.#head + this.#size) & (this.#kinds.length - 1)
    this.#kinds[at] = kind
    this.#numbers[at] = number
    this.#starts[at] = startedAt
    this.#names[at] = named
    this.#denials[at] = denied
    this.#expected[at] = expected
    this.#size++
  }

  /** The kind of the oldest entry; undefined when there is none. */
  get kind(): EntryKind | undefined {
    return this.#size === 0 ? undefined : (this.#kinds[this.#head] as EntryKind)
  }

  get number(): number {
    return this.#numbers[this.#head] ?? -1
  }

  get startedAt(): number {
    return this.#starts[this.#head] ?? 0
  }

  get named(): Named | undefined {
    return this.#names[this.#head]
  }

  get denied(): Denied | undefined {
    return this.#denials[this.#head]
  }

  get expected(): Expected | undefined {
    return this.#expected[this.#head]
  }

  shift(): void {
    this.#names[this.#head] = undefined
    this.#denials[this.#head] = undefined
    this.#expected[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#kinds.length - 1)
    this.#size--
  }

  /** Forgets what the target skips: all up to the next Sync, if that was sent. `forget` is given the names in it. */
  dropToSync(forget: (named: Named) => void): void {
    while (this.kind !== undefined && this.kind !== ENTRY.sync) {
      if (this.named !== undefined) forget(this.named)
      const { expected } = this
      if (expected?.kind === 'describe') forgetDescription(expected)
      this.shift()
    }
    this.skipping = this.kind === undefined
  }

  /**
   * The target has begun to take COPY data for the oldest entry. While it does, it ignores Sync ("COPY Operations"): those
   * that were sent ahead of the data's end get no answer, and are forgotten.
   * @returns how many of those there were, and `ended` when the end of the data is on its way already, `open` when not, and `broken` when anything else was
   *   sent ahead of it, which the target takes for a violation of the protocol
   */
  copyBegins(): { readonly data: 'ended' | 'open' | 'broken'; readonly syncs: number } {
    const mask = this.#kinds.length - 1
    let ahead = 1
    while (ahead < this.#size && this.#kinds[(this.#head + ahead) & mask] === ENTRY.sync) ahead++
    const syncs = ahead - 1
    if (ahead < this.#size && this.#kinds[(this.#head + ahead) & mask] !== ENTRY.copyEnd) {
      return { data: 'broken', syncs }
    }
    const data = ahead < this.#size ? 'ended' : 'open'
    for (let i = 0; i < syncs; i++) this.#dropSecond()
    return { data, syncs }
  }

  /** The oldest entry has taken its COPY data; another COPY of the same simple query may follow. */
  copyTaken(): void {
    const second = (this.#head + 1) & (this.#kinds.length - 1)
    if (this.#size > 1 && this.#kinds[second] === ENTRY.copyEnd) this.#dropSecond()
  }

  #dropSecond(): void {
    const { kind, number, startedAt, named, denied, expected } = this
    this.shift()
    this.#kinds[this.#head] = kind ?? ENTRY.query
    this.#numbers[this.#head] = number
    this.#starts[this.#head] = startedAt
    this.#names[this.#head] = named
    this.#denials[this.#head] = denied
    this.#expected[this.#head] = expected
  }

  #grow(): void {
    const size = this.#kinds.length
    const kinds = new Uint8Array(size * 2)
    const numbers = new Float64Array(size * 2)
    const starts = new Float64Array(size * 2)
    const names: (Named | undefined)[] = Array.from({ length: size * 2 })
    const denials: (Denied | undefined)[] = Array.from({ length: size * 2 })
    const expected: (Expected | undefined)[] = Array.from({ length: size * 2 })
    for (let i = 0; i < this.#size; i++) {
      const at = (this.#head + i) & (size - 1)
      kinds[i] = this.#kinds[at] ?? 0
      numbers[i] = this.#numbers[at] ?? -1
      starts[i] = this.#starts[at] ?? 0
      names[i] = this.#names[at]
      denials[i] = this.#denials[at]
      expected[i] = this.#expected[at]
    }
    this.#kinds = kinds
    this.#numbers = numbers
    this.#starts = starts
    this.#names = names
    this.#denials = denials
    this.#expected = expected
    this.#head = 0
  }
}

/** It was skipped, or not looked at: whoever needs it has to ask again. */
export function forgetDescription({ prepared, portal }: Described): void {
  if (prepared !== undefined) forgetUnanswered(prepared.result)
  if (portal !== undefined) forgetUnanswered(portal.result)
}

function forgetUnanswered(result: ResultDescription): void {
  if (result.columns === undefined) result.isAsked = false
}
