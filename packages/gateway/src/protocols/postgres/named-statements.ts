import { SallyportError } from '../../access/errors.ts'
import type { ResultMasks } from '../../access/masking.ts'
import type { Verdict } from '../contract.ts'
import type { ClosedCursors } from '../sql/reading.ts'
import type { BareNames } from '../sql/search-path.ts'
import type { ResultColumn } from './row-description.ts'
import type { KnownStatement } from './statement-cache.ts'

/** A prepared statement, as far as running it again needs to be decided and recorded. */
export interface Prepared {
  /** Of the recorded statement. */
  readonly number: number
  readonly text: string
  /** As it was read last, and what was decided about that. */
  known: KnownStatement
  verdict: Verdict
  /** The types of parameters as Parse said them, by OID; those of SQL's PREPARE are in its text. */
  readonly types?: readonly number[]
  /** What the target says of its result. Shared by its portals. */
  readonly result: ResultDescription
}

/** What the target has said, or was asked, about a result. */
export interface ResultDescription {
  /** Its Describe was sent, or answered. */
  isAsked: boolean
  columns: readonly ResultColumn[] | undefined
}

export function undescribed(): ResultDescription {
  return { isAsked: false, columns: undefined }
}

/** What people have permitted, as the recording has it. */
export interface Approved {
  readonly verdict: Verdict
  readonly number: number
}

/** A bound portal: which statement it runs, and with what. */
export interface Portal {
  readonly kind: 'portal'
  readonly prepared: Prepared
  /** How its bare names were understood when it was bound: its plan was made then. */
  readonly names: BareNames
  /** JSON array, bounded. */
  readonly parameters: string
  readonly approved: Approved | undefined
  /** Result formats, as Bind gave them; undefined: they were not looked at. */
  readonly formats: readonly number[] | undefined
  readonly result: ResultDescription
  /** As they were when it was executed last. */
  masks: readonly ResultMasks[] | undefined
}

/** A cursor of SQL's DECLARE: what reads from it does what its query does. */
export interface Cursor {
  readonly known: KnownStatement
  /** WITH HOLD: it outlives the transaction that it was declared in. */
  readonly isHeld: boolean
}

/** A change to the names that happens when the target says that it did its part. */
export type Named =
  | { readonly kind: 'statement'; readonly name: string; readonly value: Prepared | undefined }
  | { readonly kind: 'portal'; readonly name: string; readonly value: Portal | undefined }
  | { readonly kind: 'cursor'; readonly name: string; readonly value: Cursor | undefined }

/**
 * NAMEDATALEN - 1: the target keeps no more bytes of a name, so that two longer ones may mean the same there and not here.
 */
const MAX_NAME_BYTES = 63

/** Whether a name from the wire is the same name here as on the target: short enough, and valid UTF-8. */
export function isUsableName(name: string): boolean {
  if (name === '') return true
  return Buffer.byteLength(name) <= MAX_NAME_BYTES && !name.includes('\uFFFD')
}

/** Per session and kind; ORMs keep some hundreds of prepared statements. */
const MAX_NAMES = 10_000

/**
 * Which statement each name stands for on the target. A name changes only when the target confirms it: otherwise a client
 * could make the gateway believe, by a Parse that the target rejects, that a name stands for something harmless.
 * Messages of the same batch, up to Sync, see the change already, since the target handles them in order and skips the
 * rest of the batch if one fails. Later ones must wait for the answer: they run whether the change came about or not.
 */
export class NamedStatements {
  readonly #statements = new Names<Prepared>()
  readonly #portals = new Names<Portal>()
  readonly #cursors = new Names<Cursor>()

  /** @returns `unsettled` while an earlier batch may or may not have changed the name */
  statement(name: string): Prepared | 'unsettled' | undefined {
    return this.#statements.get(name)
  }

  /** @returns `unsettled` while an earlier batch may or may not have changed the name */
  portal(name: string): Portal | 'unsettled' | undefined {
    return this.#portals.get(name)
  }

  /** @returns `unsettled` while an earlier batch may or may not have declared the cursor */
  cursor(name: string): Cursor | 'unsettled' | undefined {
    return this.#cursors.get(name)
  }

  /** Sent to the target. @throws SallyportError LIMIT_REACHED */
  propose(change: Named): void {
    if (change.kind === 'statement') this.#statements.propose(change.name, change.value)
    else if (change.kind === 'portal') this.#portals.propose(change.name, change.value)
    else this.#cursors.propose(change.name, change.value)
  }

  /** Done by the target. */
  confirm(change: Named): void {
    if (change.kind === 'statement') this.#statements.confirm(change.name, change.value)
    else if (change.kind === 'portal') this.#portals.confirm(change.name, change.value)
    else this.#cursors.confirm(change.name, change.value)
  }

  /** Failed or skipped by the target. */
  discard(change: Named): void {
    if (change.kind === 'statement') this.#statements.discard(change.name, change.value)
    else if (change.kind === 'portal') this.#portals.discard(change.name, change.value)
    else this.#cursors.discard(change.name, change.value)
  }

  /** A message was sent up to which the target skips after an error, or which it does not skip: Sync or Query. */
  batchEnded(): void {
    this.#statements.batchEnded()
    this.#portals.batchEnded()
    this.#cursors.batchEnded()
  }

  /** DEALLOCATE ALL or DISCARD ALL was done. */
  deallocatedAll(): void {
    this.#statements.clear()
  }

  /**
   * A statement is sent that may close cursors. What is forgotten here and still open there can only not be read any more;
   * a name that is remembered too long could come to stand for another query, which a function opened.
   */
  closing(cursors: ClosedCursors): void {
    if (cursors === 'all') this.#cursors.clear()
    else if (cursors === 'not held') this.#cursors.clear(isNotHeld)
    else for (const name of cursors) this.#cursors.clear((_, its) => its === name)
  }

  /** Portals do not outlive their transaction ("Extended Query"). */
  transactionEnded(): void {
    this.#portals.clear()
    this.#cursors.clear(isNotHeld)
  }
}

function isNotHeld({ isHeld }: Cursor): boolean {
  return !isHeld
}

/** What is known of one name. */
interface Slot<T> {
  /** As the target has it; undefined: it has none. */
  confirmed: T | undefined
  /** The latest change that was sent; undefined: that it be closed. Means nothing where `batch` is -1. */
  proposed: T | undefined
  /** In which batch that was; -1 while there is no change under way. */
  batch: number
}

function emptySlot<T>(): Slot<T> {
  return { confirmed: undefined, proposed: undefined, batch: -1 }
}

class Names<T extends object> {
  /** The one without a name is always there: with most drivers it changes with every query. */
  readonly #unnamed: Slot<T> = emptySlot()
  readonly #named = new Map<string, Slot<T>>()
  #batch = 0

  get(name: string): T | 'unsettled' | undefined {
    const slot = this.#slot(name)
    if (slot === undefined || slot.batch === -1) return slot?.confirmed
    return slot.batch === this.#batch ? slot.proposed : 'unsettled'
  }

  batchEnded(): void {
    this.#batch++
  }

  propose(name: string, value: T | undefined): void {
    const slot = this.#slot(name) ?? this.#add(name)
    slot.proposed = value
    slot.batch = this.#batch
  }

  confirm(name: string, value: T | undefined): void {
    const slot = this.#slot(name)
    if (slot !== undefined) {
      slot.confirmed = value
      this.discard(name, value)
    } else if (value !== undefined) {
      this.#named.set(name, { ...emptySlot(), confirmed: value })
    }
  }

  discard(name: string, value: T | undefined): void {
    const slot = this.#slot(name)
    if (slot === undefined || slot.batch === -1 || slot.proposed !== value) return
    slot.proposed = undefined
    slot.batch = -1
    this.#tidy(name, slot)
  }

  /** The target has closed all that it had confirmed. */
  clear(which: (value: T, name: string) => boolean = () => true): void {
    const { confirmed } = this.#unnamed
    if (confirmed !== undefined && which(confirmed, '')) this.#unnamed.confirmed = undefined
    for (const [name, slot] of this.#named) {
      if (slot.confirmed !== undefined && !which(slot.confirmed, name)) continue
      slot.confirmed = undefined
      this.#tidy(name, slot)
    }
  }

  #slot(name: string): Slot<T> | undefined {
    return name === '' ? this.#unnamed : this.#named.get(name)
  }

  #add(name: string): Slot<T> {
    if (this.#named.size >= MAX_NAMES) {
      throw new SallyportError(
        'LIMIT_REACHED',
        `this session has ${MAX_NAMES} prepared statements or portals`,
        { hint: 'close those that are no longer used' },
      )
    }
    const slot = emptySlot<T>()
    this.#named.set(name, slot)
    return slot
  }

  #tidy(name: string, slot: Slot<T>): void {
    if (slot.confirmed === undefined && slot.batch === -1) this.#named.delete(name)
  }
}
