import type { Verdict } from '../contract.ts'
import type { BareNames } from '../sql/search-path.ts'
import type { KnownStatement } from './statement-cache.ts'

/** What was found out about a Parse message, for as long as bare names and the verdict's epoch stay as they are. */
export interface ParsedStatement {
  readonly name: string
  readonly text: string
  readonly types: readonly number[]
  readonly known: KnownStatement
  readonly verdict: Verdict
  readonly names: BareNames
}

/** A longer message is taken apart each time: it is kept for every session. */
const MAX_MESSAGE = 1024

/** The Parse message before this one: drivers that prepare nothing by name send the same with every query. */
export class LastParse {
  #message: Buffer = Buffer.alloc(0)
  #length = 0
  #statement: ParsedStatement | undefined

  /** What was kept of the message in [at, next), if it was this one. */
  find(bytes: Buffer, at: number, next: number): ParsedStatement | undefined {
    if (next - at !== this.#length) return undefined
    const message = this.#message
    for (let i = 0; i < this.#length; i++) if (bytes[at + i] !== message[i]) return undefined
    return this.#statement
  }

  /** Only for a verdict that is kept for every statement of its shape: any other must be found again each time. */
  keep(bytes: Buffer, at: number, next: number, statement: ParsedStatement): void {
    const length = next - at
    if (length > MAX_MESSAGE) return
    if (this.#message.length < length) this.#message = Buffer.allocUnsafeSlow(length)
    bytes.copy(this.#message, 0, at, next)
    this.#length = length
    this.#statement = statement
  }
}
