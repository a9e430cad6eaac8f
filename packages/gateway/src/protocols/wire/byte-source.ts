import type { Readable } from 'node:stream'

/**
 * Reads exact numbers of bytes from a stream during a handshake, and hands the stream over untouched afterwards. It never
 * holds more than the stream's own buffer, and a caller never asks for more than its own bound.
 */
export class ByteSource {
  readonly #stream: Readable
  readonly #signal: AbortSignal

  /** `signal` bounds every read: its reason is what a read is rejected with. */
  constructor(stream: Readable, signal: AbortSignal) {
    this.#stream = stream
    this.#signal = signal
  }

  /**
   * The next `size` bytes. Undefined when the peer closed before all of them had come.
   * @throws the stream's error, and the signal's reason when that aborts
   */
  async take(size: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = []
    let missing = size
    while (missing > 0) {
      this.#signal.throwIfAborted()
      // A stream gives all of `n` or nothing, and never more than its own high-water mark at once: ask for what is there.
      const available = Math.min(missing, this.#stream.readableLength)
      const part: Buffer | null = available === 0 ? null : this.#stream.read(available)
      if (part !== null) {
        parts.push(part)
        missing -= part.length
        continue
      }
      if (this.#stream.readableEnded || this.#stream.destroyed || !(await this.#more())) return undefined
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
  }

  /** True when there may be more to read, false when the stream has ended. */
  #more(): Promise<boolean> {
    const stream = this.#stream
    const signal = this.#signal
    return new Promise((resolve, reject) => {
      const done = (): void => {
        stream.off('readable', onReadable)
        stream.off('end', onEnd)
        stream.off('close', onEnd)
        stream.off('error', onError)
        signal.removeEventListener('abort', onAbort)
      }
      const onReadable = (): void => {
        // At the end of the stream 'readable' comes once more, with nothing to read; reading then makes 'end' come.
        if (stream.readableLength === 0) {
          stream.read(0)
          if (!stream.readableEnded) return
        }
        done()
        resolve(!stream.readableEnded)
      }
      const onEnd = (): void => {
        done()
        resolve(false)
      }
      const onError = (error: Error): void => {
        done()
        reject(error)
      }
      const onAbort = (): void => {
        done()
        reject(signal.reason as Error)
      }
      stream.on('readable', onReadable)
      stream.on('end', onEnd)
      stream.on('close', onEnd)
      stream.on('error', onError)
      signal.addEventListener('abort', onAbort)
      stream.read(0)
    })
  }
}
