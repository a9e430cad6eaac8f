import { SallyportError } from '../../access/errors.ts'
import type { BareNames, NameChanges, SearchPath } from '../sql/search-path.ts'

/** A path is kept for every SET until the transaction ends; nobody sets more than this in one. */
const MAX_PATHS = 64

const IDLE = 0x49
const FAILED = 0x45

/** Temporary relations of one session. */
const MAX_TEMPORARY = 1000

/**
 * How bare names are understood on the target, as far as it is certain. A SET can be undone: by a ROLLBACK, by the end of
 * the transaction of a SET LOCAL, by an error in the same batch. So all paths that were in force, or asked for, since the
 * session was last known to be outside a transaction with one path remain possible, until the target, with nothing left
 * to answer, says which one it is.
 */
export class SessionNames {
  readonly #start: SearchPath
  /** In force for whatever is sent next; undefined while only the target knows. */
  #exact: SearchPath | undefined
  /** Everything that can be in force. */
  #possible: Map<string, SearchPath>
  #inTransaction = false
  #hasFailed = false
  #wasInVain = false
  readonly #temporary = new Set<string>()
  #usual: SearchPath | undefined
  /** What was made of all that, until something changes. */
  #current: BareNames | undefined

  /** @param start the path that the session begins with, and that RESET goes back to */
  constructor(start: SearchPath) {
    this.#start = start
    this.#exact = start
    this.#possible = setOf(start)
  }

  /** As soon as nothing is on its way to the target, it should be asked what is in force. */
  get shouldAsk(): boolean {
    return this.#exact === undefined && !this.#hasFailed && !this.#wasInVain
  }

  /** @param usual the catalog's path: sessions that have no other are alike */
  current(usual: SearchPath): BareNames {
    if (this.#usual !== usual) this.#current = undefined
    this.#usual = usual
    return (this.#current ??= this.#describe(usual))
  }

  #describe(usual: SearchPath): BareNames {
    const all = [...this.#possible.values()]
    const paths = this.#exact === undefined ? all : [this.#exact]
    const temporary = [...this.#temporary].toSorted()
    const isUsual = temporary.length === 0 && this.#possible.size === 1 && this.#possible.has(idOf(usual))
    const key = isUsual ? '' : JSON.stringify([paths, all, temporary])
    return { key, paths, fallbacks: all, temporary }
  }

  /** A statement is sent that may do this. @throws SallyportError LIMIT_REACHED */
  sent(changes: NameChanges): void {
    for (const path of changes.paths) this.#add(path === 'session-start' ? this.#start : path)
    const isOneOfSeveral = this.#possible.size > 1 && (changes.paths.length > 0 || changes.mayRevert)
    if (isOneOfSeveral || changes.mayChangePath) {
      this.#exact = undefined
      this.#wasInVain = false
    }
    for (const name of changes.temporary) this.#temporary.add(name)
    if (this.#possible.size > MAX_PATHS)
      throw tooMany(`set search_path to more than ${MAX_PATHS} values in one transaction`)
    if (this.#temporary.size > MAX_TEMPORARY)
      throw tooMany(`made more than ${MAX_TEMPORARY} temporary relations`)
    this.#current = undefined
  }

  /** ReadyForQuery: Byte1 status, 'I' idle, 'T' in a transaction, 'E' in a failed one. */
  ready(status: number): void {
    this.#inTransaction = status !== IDLE
    this.#hasFailed = status === FAILED
    this.#settle()
  }

  /** The target has said, with nothing else to answer, what is in force. */
  reported(path: SearchPath): void {
    this.#exact = path
    this.#add(path)
    this.#current = undefined
    this.#settle()
  }

  /** It was asked, and did not say. */
  askedInVain(): void {
    this.#wasInVain = true
  }

  /** Outside of transactions nothing is left that could be undone. */
  #settle(): void {
    if (this.#inTransaction || this.#exact === undefined || this.#possible.size === 1) return
    this.#possible = setOf(this.#exact)
    this.#current = undefined
  }

  #add(path: SearchPath): void {
    this.#possible.set(idOf(path), path)
  }
}

function tooMany(what: string): SallyportError {
  return new SallyportError('LIMIT_REACHED', `this session has ${what}`, { hint: 'begin a new session' })
}

function idOf(path: SearchPath): string {
  return JSON.stringify(path)
}

function setOf(path: SearchPath): Map<string, SearchPath> {
  return new Map([[idOf(path), path]])
}
