/** Room for one read's frames and what masks make longer. */
const FIRST_SIZE = 72 * 1024

/** What is longer than this is copied by the runtime; for less the call costs more than the bytes. */
const SHORT = 48

const NONE = Buffer.alloc(0)

/**
 * A chunk of messages of which some bytes are replaced or left out, and what goes on of it, in one piece: in the chunk's own
 * memory, where what follows a shorter replacement moves up to it, and in memory of its own from where one is longer than
 * there is room. Positions are the chunk's.
 */
export class RewrittenChunk {
  #chunk: Buffer = NONE
  /** What goes on is in `#out[#begin, #kept)`, and behind that, what stands in the chunk from `#from` on. */
  #out: Buffer = NONE
  #begin = 0
  #kept = 0
  #from = 0
  /** How many chunks there were: memory is read into again, so that it does not tell one from the next. */
  #number = 0

  get number(): number {
    return this.#number
  }

  /** What comes from `start` on goes on as it is, unless it is said otherwise. */
  begin(chunk: Buffer, start: number): void {
    this.#chunk = chunk
    this.#out = chunk
    this.#begin = start
    this.#kept = start
    this.#from = start
    this.#number++
  }

  /** What goes on, up to `end` of the chunk, is in `bytes[start, to)`. */
  end(end: number): void {
    this.#take(end)
  }

  get bytes(): Buffer {
    return this.#out
  }

  get start(): number {
    return this.#begin
  }

  get to(): number {
    return this.#kept
  }

  /** How many bytes go on before the one at `position`, from which on nothing is replaced yet. */
  offset(position: number): number {
    return this.#kept - this.#begin + position - this.#from
  }

  /** Puts `size` bytes in the place of `[start, end)`. @returns where in `bytes` they have to be written */
  replace(start: number, end: number, size: number): number {
    this.#take(start)
    if (this.#out === this.#chunk) {
      if (this.#kept + size > end) this.#moveOut(size)
    } else this.#reserve(size)
    this.#from = end
    const at = this.#kept
    this.#kept += size
    return at
  }

  /** The same with bytes that are there already, and not in the chunk. */
  replaceBy(start: number, end: number, by: Buffer): void {
    const at = this.replace(start, end, by.length)
    const out = this.#out
    if (by.length > SHORT) by.copy(out, at)
    else for (let i = 0; i < by.length; i++) out[at + i] = by[i] ?? 0
  }

  /** Writes an Int32 over what goes on, so many bytes behind its beginning. */
  int32(offset: number, value: number): void {
    this.#out.writeInt32BE(value, this.#begin + offset)
  }

  #take(until: number): void {
    const run = until - this.#from
    if (this.#out === this.#chunk) {
      if (this.#kept !== this.#from && run > 0) this.#out.copyWithin(this.#kept, this.#from, until)
    } else {
      this.#reserve(run)
      this.#chunk.copy(this.#out, this.#kept, this.#from, until)
    }
    this.#kept += run
    this.#from = until
  }

  #moveOut(size: number): void {
    const length = this.#kept - this.#begin
    const out = Buffer.allocUnsafeSlow(Math.max(FIRST_SIZE, 2 * (length + size)))
    this.#out.copy(out, 0, this.#begin, this.#kept)
    this.#out = out
    this.#begin = 0
    this.#kept = length
  }

  #reserve(size: number): void {
    if (this.#kept + size > this.#out.length) this.#moveOut(size)
  }
}
