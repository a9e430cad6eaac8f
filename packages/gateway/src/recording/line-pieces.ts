/*
 * Parts of journal lines that are mostly those of the line before, kept as bytes. A line is made for every statement and every
 * result, and to copy one long part is cheaper than several short ones: the call costs more than the bytes.
 */

const NOTHING = Buffer.alloc(0)

/** The time, and what always follows it: `,"at":<epoch ms>` and a constant. */
export class TimedPiece {
  readonly #rest: string
  #at = -1
  #bytes: Buffer = NOTHING

  constructor(rest: string) {
    this.#rest = rest
  }

  /** @param now epoch milliseconds */
  at(now: number): Buffer {
    if (now !== this.#at) {
      this.#bytes = Buffer.from(`,"at":${now}${this.#rest}`)
      this.#at = now
    }
    return this.#bytes
  }
}

/** What is made of a text. */
export class LastPiece {
  readonly #make: (text: string) => string
  #text: string | undefined
  #bytes: Buffer = NOTHING

  constructor(make: (text: string) => string) {
    this.#make = make
  }

  of(text: string): Buffer {
    if (text !== this.#text) {
      this.#bytes = Buffer.from(this.#make(text))
      this.#text = text
    }
    return this.#bytes
  }
}
