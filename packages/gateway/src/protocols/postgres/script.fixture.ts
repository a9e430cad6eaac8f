import { Backend } from './backend.ts'
import { Frontend } from './frontend.ts'
import type { FrontendState } from './frontend-state.ts'
import { TestGuard } from './guard.fixture.ts'
import { InFlight } from './in-flight.ts'
import { NamedStatements } from './named-statements.ts'
import { SessionNames } from './session-names.ts'
import { StatementCache, type SqlReader } from './statement-cache.ts'
import { frames } from './wire.fixture.ts'

export const NONCE = '0badcafe'

/** Both passes of a session without sockets: bytes in, bytes out. */
export class ScriptedSession {
  readonly guard: TestGuard
  readonly state: FrontendState
  readonly #toTarget: Buffer[] = []
  readonly #toClient: Buffer[] = []
  readonly #frontend: Frontend
  readonly #backend: Backend
  #clientRest = Buffer.alloc(0)
  #targetRest = Buffer.alloc(0)
  #waiting = false
  #failure: unknown
  terminated = false

  constructor(reader: SqlReader, guard = new TestGuard()) {
    this.guard = guard
    this.state = {
      sessionId: guard.sessionId,
      nonce: NONCE,
      guard,
      inFlight: new InFlight(),
      names: new NamedStatements(),
      bareNames: new SessionNames(guard.catalog.searchPath),
      statements: new StatementCache(reader),
      copy: { open: false, ignoredSyncs: 0 },
      transaction: { hasFailed: false },
    }
    this.#frontend = new Frontend(this.state, {
      forward: (bytes, start, end) => this.#toTarget.push(Buffer.from(bytes.subarray(start, end))),
      wait: (done) => this.#wait(done),
      listen: (done) => this.#wait(done),
      notify: (frame) => this.#toClient.push(frame),
      terminated: () => {
        this.terminated = true
      },
    })
    this.#backend = new Backend(this.state, {
      forward: (bytes, start, end) => this.#toClient.push(Buffer.from(bytes.subarray(start, end))),
      answered: () => this.#frontend.answered(),
      breathe: () => undefined,
    })
  }

  #wait(done: Promise<unknown>): void {
    this.#waiting = true
    done
      .then(() => {
        this.#waiting = false
        this.#consumeClient()
      })
      .catch((error: unknown) => {
        this.#failure = error
      })
  }

  get frontend(): Frontend {
    return this.#frontend
  }

  get toTarget(): Buffer {
    return Buffer.concat(this.#toTarget)
  }

  get toClient(): Buffer {
    return Buffer.concat(this.#toClient)
  }

  /** Bytes of the client that were not dealt with yet. */
  get held(): number {
    return this.#clientRest.length
  }

  /** Bytes of the target that were not dealt with yet. */
  get carried(): number {
    return this.#targetRest.length
  }

  get waits(): boolean {
    return this.#waiting
  }

  async client(...chunks: readonly Buffer[]): Promise<void> {
    this.#clientRest = Buffer.concat([this.#clientRest, ...chunks])
    this.#consumeClient()
    await settled()
    if (this.#failure !== undefined) throw this.#failure
  }

  async target(...chunks: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat([this.#targetRest, ...chunks])
    this.#targetRest = bytes.subarray(this.#backend.consume(bytes, 0, bytes.length))
    await settled()
    if (this.#failure !== undefined) throw this.#failure
  }

  #consumeClient(): void {
    if (this.#waiting) return
    const bytes = this.#clientRest
    this.#clientRest = bytes.subarray(this.#frontend.consume(bytes, 0, bytes.length))
  }

  /**
   * Statements that went to the target without having been recorded as permitted: there must be none. What is sent in
   * place of a denied message bears the marker.
   */
  undecided(): readonly string[] {
    const permitted = new Set(this.guard.recorder.texts('permit'))
    return frames(this.toTarget).flatMap(({ type, body }) => {
      if (type !== 'Q' && type !== 'P') return []
      const parts = body.toString('utf8').split('\0')
      const text = (type === 'Q' ? parts[0] : parts[1]) ?? ''
      const isMarker = text.startsWith(`sallyport_denied_${NONCE}_`) || text === `sallyport_unknown_${NONCE}`
      return permitted.has(text) || isMarker ? [] : [text]
    })
  }
}

/** Promises that wait for nothing but each other have settled by then. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** One side's bytes, in the order of a conversation. */
export type Step = { readonly client: Buffer } | { readonly target: Buffer }

export interface Outcome {
  readonly toTarget: string
  readonly toClient: string
  readonly calls: readonly unknown[]
}

/** Plays the steps. `cut` says where the n-th step's bytes are cut into chunks. */
export async function play(
  session: ScriptedSession,
  steps: readonly Step[],
  cut: (step: number, length: number) => readonly number[],
): Promise<Outcome> {
  for (const [n, step] of steps.entries()) {
    const bytes = 'client' in step ? step.client : step.target
    let at = 0
    for (const end of [...cut(n, bytes.length), bytes.length]) {
      const chunk = bytes.subarray(at, end)
      at = end
      if ('client' in step) await session.client(chunk)
      else await session.target(chunk)
    }
  }
  return {
    toTarget: session.toTarget.toString('hex'),
    toClient: session.toClient.toString('hex'),
    calls: session.guard.recorder.calls,
  }
}
