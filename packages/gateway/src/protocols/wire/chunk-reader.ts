import { Socket, type SocketConstructorOpts } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * Looks at `bytes[start, end)` and returns up to where it is done with them; the rest, the beginning of a message, is
 * given to it again with more behind it. Never asynchronous: it is called for every read.
 */
export type Consume = (bytes: Buffer, start: number, end: number) => number

export interface ChunkReaderOptions {
  /**
   * Bytes per read at the most; it begins with few, so that idle connections are cheap. 64 KiB is where bulk throughput stops
   * growing; a side that sends statements needs less.
   */
  readonly readSize: number
  /** The longest rest that may be carried over to the next read: no message may need more to be looked at. */
  readonly maxCarry: number
  readonly consume: Consume
  /** Whether bytes that were handed out may still be waiting to be written: their memory is not read into then. */
  readonly inUse: () => boolean
  /** The peer sent its end, or the connection broke. Called once. */
  readonly onEnd: (error?: Error) => void
}

export interface ChunkReader {
  /** The stream to write to. It is not always the one that was passed in. */
  readonly stream: Duplex
  /** Starts, with the bytes that were read before. */
  start(): void
  /** Reads no more until `resume`. Of a chunk that is being consumed, the rest stays for then. */
  pause(): void
  /**
   * Consumes no more until `resume`, but reads on for a while, so that the peer's end is noticed: what comes is kept, up to
   * a bound behind what is there already.
   */
  listen(): void
  /** Goes on, also with bytes that the consumer had left. */
  resume(): void
}

/**
 * Kept of what a peer sends while it is only listened to. Whoever has sent more than this is no longer noticed to leave
 * until it is read again.
 */
const LISTEN_BYTES = 64 * 1024

/** Room in front of the read area for the usual rest: most messages are shorter. */
const CARRY = 4096

/** What a connection reads into while little comes. It grows as soon as a read fills it. */
const FIRST_READ = 4096
/** So many small reads in a row, and the large memory is given back. */
const SMALL_READS = 32

/**
 * After this many bytes in one read, others get a turn of the event loop first: a looping bulk result otherwise multiplies
 * the latency of everybody's small queries by eight (bench/README.md, "Fairness").
 */
const YIELD_AFTER = 32 * 1024

/**
 * Reads a stream in chunks, each preceded by what the consumer left of the one before, without copying more than that
 * rest. A plain TCP socket is read straight into reusable memory (`onread`); anything else through 'data' events.
 */
export function readChunks(stream: Duplex, options: ChunkReaderOptions): ChunkReader {
  const first = (stream.readableLength > 0 ? (stream.read() as Buffer | null) : null) ?? Buffer.alloc(0)
  return canTakeOver(stream)
    ? new SocketChunks(stream, first, options)
    : new StreamChunks(stream, first, options)
}

interface Handle {
  reading: boolean
  readStop(): number
}

/** Node offers `onread` to sockets that it dials, not to those that it accepts; only the handle can be moved over. */
function canTakeOver(stream: Duplex): stream is Socket & { _handle: Handle | null } {
  if (!(stream instanceof Socket) || stream.constructor !== Socket) return false
  const handle = (stream as unknown as { _handle?: Handle | null })._handle
  return typeof handle?.readStop === 'function'
}

class SocketChunks implements ChunkReader {
  readonly stream: Socket
  readonly #options: ChunkReaderOptions
  /** The memory that is being read into: a carry area, then the read area. The rest of a chunk ends where reads begin. */
  #memory: Buffer
  #carryArea = CARRY
  #readSize: number
  #smallReads = 0
  /** Node reads into what it was told last. */
  #told: Buffer | undefined
  #carried = 0
  /** A second memory, made when first needed, for reading while what came before is still to be written. */
  #spare: Buffer | undefined
  #paused = false
  /** While paused: how much may be kept of what comes all the same. */
  #keep = 0
  #ended = false

  constructor(accepted: Socket & { _handle: Handle | null }, first: Buffer, options: ChunkReaderOptions) {
    this.#options = options
    this.#readSize = Math.min(FIRST_READ, options.readSize)
    while (this.#carryArea < first.length) this.#carryArea *= 2
    this.#memory = this.#allocate()
    first.copy(this.#memory, this.#carryArea - first.length)
    this.#carried = first.length
    const handle = accepted._handle
    if (handle === null) throw new Error('the socket is closed')
    handle.readStop()
    handle.reading = false
    accepted._handle = null
    const taken = {
      handle,
      onread: {
        buffer: () => this.#readArea(),
        callback: (size: number) => this.#onRead(size),
      },
    }
    this.stream = new Socket(taken as unknown as SocketConstructorOpts)
    this.stream.setNoDelay(true)
    let failure: Error | undefined
    this.stream.on('error', (error) => {
      failure = error
    })
    this.stream.on('end', () => this.#end())
    this.stream.on('close', () => this.#end(failure))
  }

  start(): void {
    if (this.stream.destroyed) return this.#end()
    this.#consumeCarried()
    if (!this.#paused) this.stream.resume()
  }

  pause(): void {
    this.#paused = true
    this.#keep = 0
    this.stream.pause()
  }

  listen(): void {
    if (this.#ended) return
    this.#paused = true
    this.#keep = this.#carried + this.#readSize + LISTEN_BYTES
    this.stream.resume()
  }

  resume(): void {
    if (!this.#paused || this.#ended) return
    this.#paused = false
    this.#keep = 0
    this.#consumeCarried()
    if (!this.#paused) this.stream.resume()
  }

  /**
   * The consumer may have stopped in front of whole messages. What it leaves now stays where it is: Node asks for other
   * memory only when it has read into this one.
   */
  #consumeCarried(): void {
    if (this.#carried === 0) return
    const from = this.#pass(this.#memory, this.#carryArea - this.#carried, this.#carryArea)
    this.#carried = this.#carryArea - from
  }

  /** Where to read next; undefined, which Node takes for "as before", when that has not changed. */
  #readArea(): Buffer | undefined {
    if (this.#told === this.#memory) return undefined
    this.#told = this.#memory
    return this.#memory.subarray(this.#carryArea)
  }

  #onRead(size: number): boolean {
    this.#consume(this.#carryArea + size, this.#nextReadSize(size))
    if (!this.#isReading) return false
    if (size < YIELD_AFTER) return true
    setImmediate(() => {
      if (this.#isReading && !this.#ended) this.stream.resume()
    })
    return false
  }

  get #isReading(): boolean {
    return !this.#paused || this.#carried < this.#keep
  }

  #nextReadSize(size: number): number {
    const { readSize } = this.#options
    if (size === this.#readSize) {
      this.#smallReads = 0
      return Math.min(readSize, size * 4)
    }
    this.#smallReads = size < FIRST_READ ? this.#smallReads + 1 : 0
    return this.#smallReads > SMALL_READS ? Math.min(FIRST_READ, readSize) : this.#readSize
  }

  /** Consumes up to `end` and moves the rest in front of the read area, in other memory where this one is in use. */
  #consume(end: number, readSize: number): void {
    const { inUse } = this.#options
    const memory = this.#memory
    const spareInUse = inUse()
    const from = this.#pass(memory, this.#carryArea - this.#carried, end)
    const rest = end - from
    if (rest > this.#carryArea || readSize !== this.#readSize || (rest === 0 && this.#carryArea > CARRY)) {
      this.#resize(rest, readSize)
    } else if (inUse()) {
      // What the spare held was written if nothing was waiting before this chunk.
      this.#memory = this.#spare === undefined || spareInUse ? this.#allocate() : this.#spare
      this.#spare = memory
    }
    if (rest > 0) memory.copy(this.#memory, this.#carryArea - rest, from, end)
    this.#carried = rest
  }

  #pass(memory: Buffer, start: number, end: number): number {
    if (this.#keep > 0) return start
    try {
      const from = this.#options.consume(memory, start, end)
      // Of a chunk that is not wanted yet, whole messages are left: that is no more than one read on top.
      if (!this.#paused && end - from > this.#options.maxCarry)
        throw new RangeError(`a message left ${end - from} bytes`)
      return from
    } catch (error) {
      this.#end(error as Error)
      return end
    }
  }

  /** Memory for what is needed now: a long statement's, or a bulk result's, is not kept for the life of the connection. */
  #resize(rest: number, readSize: number): void {
    if (rest === 0) this.#carryArea = CARRY
    while (this.#carryArea < rest) this.#carryArea *= 2
    this.#readSize = readSize
    this.#spare = undefined
    this.#memory = this.#allocate()
  }

  #allocate(): Buffer {
    return Buffer.allocUnsafeSlow(this.#carryArea + this.#readSize)
  }

  #end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#options.onEnd(error)
  }
}

/** The same for TLS and in-process streams. Each chunk is memory of its own, so nothing is ever read over. */
class StreamChunks implements ChunkReader {
  readonly stream: Duplex
  readonly #options: ChunkReaderOptions
  #rest: Buffer
  #paused = false
  /** While paused: how much may be kept of what comes all the same. */
  #keep = 0
  #ended = false

  constructor(stream: Duplex, first: Buffer, options: ChunkReaderOptions) {
    this.stream = stream
    this.#rest = first
    this.#options = options
    let failure: Error | undefined
    stream.on('error', (error) => {
      failure = error
    })
    stream.on('end', () => this.#end())
    stream.on('close', () => this.#end(failure))
  }

  start(): void {
    // Its 'end' or 'close' may have come before anybody listened for it here.
    if (this.stream.destroyed || this.stream.readableEnded) return this.#end()
    if (this.#rest.length > 0) this.#consume(Buffer.alloc(0))
    this.stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    if (this.#paused && this.#keep === 0) this.stream.pause()
  }

  pause(): void {
    this.#paused = true
    this.#keep = 0
    this.stream.pause()
  }

  listen(): void {
    if (this.#ended) return
    this.#paused = true
    this.#keep = this.#rest.length + LISTEN_BYTES
    this.stream.resume()
  }

  resume(): void {
    if (!this.#paused || this.#ended) return
    this.#paused = false
    this.#keep = 0
    if (this.#rest.length > 0) this.#consume(Buffer.alloc(0))
    if (!this.#paused) this.stream.resume()
  }

  #onData(chunk: Buffer): void {
    if (this.#keep > 0) {
      this.#rest = Buffer.concat([this.#rest, chunk])
      if (this.#rest.length >= this.#keep) this.stream.pause()
      return
    }
    this.#consume(chunk)
    if (this.#paused || chunk.length < YIELD_AFTER) return
    this.stream.pause()
    setImmediate(() => {
      if (!this.#paused && !this.#ended) this.stream.resume()
    })
  }

  #consume(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    try {
      const from = this.#options.consume(bytes, 0, bytes.length)
      this.#rest = bytes.subarray(from)
      // Of a chunk that is not wanted yet, whole messages are left: they are in memory already, whoever made it so long.
      if (!this.#paused && this.#rest.length > this.#options.maxCarry) {
        throw new RangeError(`a message left ${this.#rest.length} bytes`)
      }
    } catch (error) {
      this.#end(error as Error)
    }
  }

  #end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#options.onEnd(error)
  }
}
