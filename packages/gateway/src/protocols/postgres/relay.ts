import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { SallyportError } from '../../access/errors.ts'
import type { Guard, RecordingWaiter } from '../contract.ts'
import type { ChunkReader } from '../wire/chunk-reader.ts'
import { readChunks } from '../wire/chunk-reader.ts'
import { Backend, MAX_BACKEND_MESSAGE } from './backend.ts'
import { errorResponse } from './error-response.ts'
import { MAX_STATEMENT } from './frontend-bounds.ts'
import type { FrontendState } from './frontend-state.ts'
import { Frontend } from './frontend.ts'
import { InFlight } from './in-flight.ts'
import { NamedStatements } from './named-statements.ts'
import type { PostgresDownstream } from './server.ts'
import { SessionNames } from './session-names.ts'
import type { StatementCache } from './statement-cache.ts'
import type { PostgresUpstream } from './upstream.ts'

/** Statements are short, and most clients send one at a time. */
const CLIENT_READ = 16 * 1024
/** Where bulk results stop getting faster. */
const TARGET_READ = 64 * 1024
/** After Terminate the target may finish what it was sent before; a client that is gone without it gets no such time. */
const FINISH_MS = 5000

/**
 * Moves messages both ways until one side hangs up or the session must end. Nothing of what the client sends reaches the
 * target before it is decided and recorded.
 * @returns who hung up
 * @throws SallyportError why the session was ended; the client has been told
 */
export function relay(
  client: PostgresDownstream,
  upstream: PostgresUpstream,
  guard: Guard,
  statements: StatementCache,
  sessionId: string,
): Promise<'client' | 'target'> {
  return new Promise((resolve, reject) =>
    new Relay(client, upstream, guard, statements, sessionId, resolve, reject).run(),
  )
}

/** Why the target is not being read. */
type TargetHold = 'draining' | 'masking'

/** Why the client is not being read. */
type Hold = 'verdict' | 'people' | 'draining'

class Relay {
  readonly #guard: Guard
  readonly #client: ChunkReader
  readonly #target: ChunkReader
  readonly #frontend: Frontend
  readonly #backend: Backend
  readonly #release: () => void
  readonly #resolve: (who: 'client' | 'target') => void
  readonly #reject: (error: SallyportError) => void
  /** What this chunk has for the target. */
  #batch: Buffer[] = []
  /** Batches that wait for the recording, which keeps their order. */
  readonly #unrecorded: Buffer[][] = []
  readonly #waiter: RecordingWaiter = {
    recorded: () => this.#toTarget(this.#nextRecorded()),
    unrecorded: (error) => this.#fail(error),
  }
  readonly #holds = new Set<Hold>()
  readonly #targetHolds = new Set<TargetHold>()
  #leaving = false
  #over = false
  readonly #onAbort = (): void => this.#fail(SallyportError.from(this.#guard.signal.reason))

  constructor(
    client: PostgresDownstream,
    upstream: PostgresUpstream,
    guard: Guard,
    statements: StatementCache,
    sessionId: string,
    resolve: (who: 'client' | 'target') => void,
    reject: (error: SallyportError) => void,
  ) {
    this.#guard = guard
    this.#resolve = resolve
    this.#reject = reject
    this.#release = client.release
    client.cancelsWaiting = () => this.#frontend.cancel()
    const state: FrontendState = {
      sessionId,
      nonce: randomBytes(4).toString('hex'),
      guard,
      inFlight: new InFlight(),
      names: new NamedStatements(),
      bareNames: new SessionNames(upstream.searchPath),
      statements,
      copy: { open: false, ignoredSyncs: 0 },
      transaction: { hasFailed: false },
    }
    this.#frontend = new Frontend(state, {
      forward: (bytes, start, end) => this.#batch.push(bytes.subarray(start, end)),
      wait: (done) => this.#wait(done, 'verdict'),
      listen: (done) => this.#wait(done, 'people'),
      notify: (frame) => this.#toClient(frame, 0, frame.length),
      terminated: () => this.#terminated(),
    })
    this.#backend = new Backend(state, {
      forward: (bytes, start, end) => this.#toClient(bytes, start, end),
      answered: () => this.#frontend.answered(),
      breathe: () => this.#breathe(),
    })
    this.#client = readChunks(client.stream, {
      readSize: CLIENT_READ,
      maxCarry: 2 * MAX_STATEMENT,
      consume: (bytes, start, end) => this.#fromClient(bytes, start, end),
      inUse: () => this.#unrecorded.length > 0 || this.#target.stream.writableLength > 0,
      onEnd: (error) => this.#clientEnded(error),
    })
    this.#target = upstream.readChunks({
      readSize: TARGET_READ,
      maxCarry: 2 * MAX_BACKEND_MESSAGE,
      consume: (bytes, start, end) => (this.#over ? end : this.#backend.consume(bytes, start, end)),
      inUse: () => this.#client.stream.writableLength > 0,
      onEnd: (error) => this.#targetEnded(error),
    })
  }

  run(): void {
    const { signal } = this.#guard
    signal.addEventListener('abort', this.#onAbort)
    if (signal.aborted) return this.#onAbort()
    this.#target.start()
    this.#client.start()
  }

  #fromClient(bytes: Buffer, start: number, end: number): number {
    if (this.#over) return end
    const consumed = this.#frontend.consume(bytes, start, end)
    const batch = this.#batch
    if (batch.length > 0) {
      this.#batch = []
      this.#unrecorded.push(batch)
      this.#guard.recorder.written(this.#waiter)
    }
    return consumed
  }

  #nextRecorded(): readonly Buffer[] {
    // Mostly it is the only one, and to take that costs a tenth of moving up what is behind it.
    const waiting = this.#unrecorded
    return (waiting.length === 1 ? waiting.pop() : waiting.shift()) ?? []
  }

  /** The events of this batch are written: it may go out. */
  #toTarget(batch: readonly Buffer[]): void {
    const { stream } = this.#target
    if (this.#over || !stream.writable) return
    if (batch.length > 1) stream.cork()
    for (const bytes of batch) stream.write(bytes)
    if (batch.length > 1) stream.uncork()
    if (stream.writableNeedDrain && !this.#holds.has('draining')) {
      this.#hold('draining')
      stream.once('drain', () => this.#letGo('draining'))
    }
  }

  #toClient(bytes: Buffer, start: number, end: number): void {
    const { stream } = this.#client
    if (!stream.writable) return
    const slice = bytes.subarray(start, end)
    // A socket is done with the memory when it has written it; an in-process reader may keep it for as long as it likes.
    stream.write(stream instanceof Socket ? slice : Buffer.from(slice))
    if (!stream.writableNeedDrain || this.#targetHolds.has('draining')) return
    this.#holdTarget('draining')
    stream.once('drain', () => this.#letTargetGo('draining'))
  }

  /** Others get a turn of the event loop: masking a bulk result would else multiply everybody's latency. */
  #breathe(): void {
    this.#holdTarget('masking')
    setImmediate(() => this.#letTargetGo('masking'))
  }

  #holdTarget(why: TargetHold): void {
    this.#targetHolds.add(why)
    this.#target.pause()
  }

  #letTargetGo(why: TargetHold): void {
    this.#targetHolds.delete(why)
    if (this.#targetHolds.size === 0 && !this.#over) this.#target.resume()
  }

  #wait(done: Promise<unknown>, why: Hold): void {
    this.#hold(why)
    done.then(
      () => this.#letGo(why),
      (error: unknown) => this.#fail(SallyportError.from(error)),
    )
  }

  #hold(why: Hold): void {
    this.#holds.add(why)
    this.#listenOrPause()
  }

  #letGo(why: Hold): void {
    this.#holds.delete(why)
    if (this.#over) return
    if (this.#holds.size === 0) this.#client.resume()
    else this.#listenOrPause()
  }

  /** People take their time: whoever waits for them and leaves must be missed. */
  #listenOrPause(): void {
    if (this.#holds.size === 1 && this.#holds.has('people')) this.#client.listen()
    else this.#client.pause()
  }

  #terminated(): void {
    this.#leaving = true
    setTimeout(() => this.#finish('client'), FINISH_MS).unref()
  }

  #clientEnded(error: Error | undefined): void {
    if (error instanceof SallyportError || error instanceof RangeError) return this.#fail(asMalformed(error))
    // After Terminate, the target closes in its own time. Without it nobody is there any more to work for.
    if (!this.#leaving) this.#finish('client')
  }

  #targetEnded(error: Error | undefined): void {
    if (error instanceof SallyportError || error instanceof RangeError) return this.#fail(asMalformed(error))
    this.#finish(this.#leaving ? 'client' : 'target')
  }

  #finish(who: 'client' | 'target'): void {
    if (!this.#close()) return
    const { stream } = this.#client
    stream.end()
    // A client that neither takes what is left nor closes its side would hold the socket for ever.
    if (!stream.destroyed) setTimeout(() => stream.destroy(), FINISH_MS).unref()
    if (!this.#leaving) this.#target.stream.destroy()
    this.#resolve(who)
  }

  /** Tells the client why, in PostgreSQL's words, and ends both sides. */
  #fail(error: SallyportError): void {
    if (!this.#close()) return
    this.#target.stream.destroy()
    const { stream } = this.#client
    if (stream.writable) {
      stream.end(errorResponse(error, 'FATAL'))
      setTimeout(() => stream.destroy(), 2000).unref()
    }
    // Unread bytes would make the system reset the connection, and the reset could overtake the reason.
    this.#client.resume()
    this.#reject(error)
  }

  #close(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#guard.signal.removeEventListener('abort', this.#onAbort)
    this.#release()
    this.#frontend.ended()
    return true
  }
}

function asMalformed(error: SallyportError | RangeError): SallyportError {
  return error instanceof SallyportError ? error : new SallyportError('WIRE_MALFORMED', error.message)
}
