/** Room for one read's frames and what masks make longer. */
const FIRST_SIZE = 72 * 1024

/** Frames that are put together anew, in one piece of memory per chunk, so that they go out in one write. */
export class FrameWriter {
  #bytes = Buffer.alloc(0)
  #length = 0
  #frame = 0

  get length(): number {
    return this.#length
  }

  append(bytes: Buffer, start: number, end: number): void {
    this.#reserve(end - start)
    bytes.copy(this.#bytes, this.#length, start, end)
    this.#length += end - start
  }

  /** @param size its bytes in UTF-8 */
  text(text: string, size: number): void {
    this.#reserve(size)
    this.#bytes.write(text, this.#length, size, 'utf8')
    this.#length += size
  }

  int32(value: number): void {
    this.#reserve(4)
    this.#length = this.#bytes.writeInt32BE(value, this.#length)
  }

  /** Byte1(type) Int32(length): the length follows when the frame is ended. */
  begin(type: number): void {
    this.#reserve(5)
    this.#bytes[this.#length] = type
    this.#frame = this.#length
    this.#length += 5
  }

  end(): void {
    this.#bytes.writeInt32BE(this.#length - this.#frame - 1, this.#frame + 1)
  }

  /** What was written; whoever takes it owns the memory. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
    return taken
  }

  #reserve(size: number): void {
    const needed = this.#length + size
    if (needed <= this.#bytes.length) return
    const bytes = Buffer.allocUnsafeSlow(Math.max(FIRST_SIZE, this.#bytes.length * 2, needed))
    this.#bytes.copy(bytes, 0, 0, this.#length)
    this.#bytes = bytes
  }
}
