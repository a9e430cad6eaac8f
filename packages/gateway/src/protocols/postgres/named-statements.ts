import { SallyportError } from '../../access/errors.ts'
import type { Verdict } from '../contract.ts'
import type { KnownStatement } from './statement-cache.ts'

/** A prepared statement, as far as running it again needs to be decided and recorded. */
export interface Prepared {
  /** Of the recorded statement. */
  readonly number: number
  readonly text: string
  readonly known: KnownStatement
  verdict: Verdict
}

/** A bound portal: which statement it runs, and with what. */
export interface Portal {
  readonly prepared: Prepared
  /** JSON array, bounded. */
  readonly parameters: string
}

/** A change to the names that happens when the target says that it did its part. */
export type Named =
  | { readonly kind: 'statement'; readonly name: string; readonly value: Prepared | undefined }
  | { readonly kind: 'portal'; readonly name: string; readonly value: Portal | undefined }

/**
 * NAMEDATALEN - 1: the target keeps no more bytes of a name, so that two longer ones may mean the same there and not here.
 */
const MAX_NAME_BYTES = 63

/** Whether a name from the wire is the same name here as on the target: short enough, and valid UTF-8. */
export function isUsableName(name: string): boolean {
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

  /** @returns `unsettled` while an earlier batch may or may not have changed the name */
  statement(name: string): Prepared | 'unsettled' | undefined {
    return this.#statements.get(name)
  }

  /** @returns `unsettled` while an earlier batch may or may not have changed the name */
  portal(name: string): Portal | 'unsettled' | undefined {
    return this.#portals.get(name)
  }

  /** Sent to the target. @throws SallyportError LIMIT_REACHED */
  propose(change: Named): void {
    if (change.kind === 'statement') this.#statements.propose(change.name, change.value)
    else this.#portals.propose(change.name, change.value)
  }

  /** Done by the target. */
  confirm(change: Named): void {
    if (change.kind === 'statement') this.#statements.confirm(change.name, change.value)
    else this.#portals.confirm(change.name, change.value)
  }

  /** Failed or skipped by the target. */
  discard(change: Named): void {
    if (change.kind === 'statement') this.#statements.discard(change.name, change.value)
    else this.#portals.discard(change.name, change.value)
  }

  /** A message was sent up to which the target skips after an error, or which it does not skip: Sync or Query. */
  batchEnded(): void {
    this.#statements.batchEnded()
    this.#portals.batchEnded()
  }

  /** DEALLOCATE ALL or DISCARD ALL was done. */
  deallocatedAll(): void {
    this.#statements.clear()
  }

  /** Portals do not outlive their transaction ("Extended Query"). */
  transactionEnded(): void {
    this.#portals.clear()
  }
}

class Names<T extends object> {
  readonly #confirmed = new Map<string, T>()
  /** The latest proposal of each name; undefined as a value: to be closed. */
  readonly #proposed = new Map<string, { readonly value: T | undefined; readonly batch: number }>()
  #batch = 0

  get(name: string): T | 'unsettled' | undefined {
    const proposal = this.#proposed.get(name)
    if (proposal === undefined) return this.#confirmed.get(name)
    return proposal.batch === this.#batch ? proposal.value : 'unsettled'
  }

  batchEnded(): void {
    this.#batch++
  }

  propose(name: string, value: T | undefined): void {
    if (this.#confirmed.size + this.#proposed.size >= MAX_NAMES) {
      throw new SallyportError(
        'LIMIT_REACHED',
        `this session has ${MAX_NAMES} prepared statements or portals`,
        {
          hint: 'close those that are no longer used',
        },
      )
    }
    this.#proposed.set(name, { value, batch: this.#batch })
  }

  confirm(name: string, value: T | undefined): void {
    if (value === undefined) this.#confirmed.delete(name)
    else this.#confirmed.set(name, value)
    this.discard(name, value)
  }

  discard(name: string, value: T | undefined): void {
    const proposal = this.#proposed.get(name)
    if (proposal !== undefined && proposal.value === value) this.#proposed.delete(name)
  }

  clear(): void {
    if (this.#confirmed.size > 0) this.#confirmed.clear()
  }
}
