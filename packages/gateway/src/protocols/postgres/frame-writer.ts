/** Room for what one message is mostly made into. */
const FIRST_SIZE = 4096

/** Frames that are put together anew, in memory that is used again. */
export class FrameWriter {
  #bytes = Buffer.alloc(0)
  #length = 0
  #frame = 0

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

  /** What was written: until more is. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
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
