import type { Guard } from '../contract.ts'
import type { InFlight } from './in-flight.ts'
import type { NamedStatements } from './named-statements.ts'
import type { SessionNames } from './session-names.ts'
import type { StatementCache } from './statement-cache.ts'

/** What both passes of a session know: the client's messages are decided by it, the target's answers change it. */
export interface FrontendState {
  readonly sessionId: string
  /** Random, per session: nobody can provoke an error that looks like a denial. */
  readonly nonce: string
  readonly guard: Guard
  readonly inFlight: InFlight
  readonly names: NamedStatements
  readonly bareNames: SessionNames
  readonly statements: StatementCache
  readonly copy: {
    /** Whether the target is taking COPY data whose end the client has not sent yet. */
    open: boolean
    /** Sent while, or just before, the target took COPY data. It answers none of them unless that COPY fails first. */
    ignoredSyncs: number
  }
  readonly transaction: {
    /** As of the last ReadyForQuery. */
    hasFailed: boolean
  }
}

/** Where frontend messages go once they are decided. */
export interface FrontendSink {
  /** Bytes for the target, in order. They are sent when all that was recorded before is written. */
  forward(bytes: Buffer, start: number, end: number): void
  /** No more is consumed until `done`; what was not consumed is given again then. */
  wait(done: Promise<unknown>): void
  /** The same, for longer: that the client leaves meanwhile must be noticed. */
  listen(done: Promise<unknown>): void
  /** A message of the gateway's own for the client, now. */
  notify(frame: Buffer): void
  /** The client said that it leaves; bytes after that are not looked at. */
  terminated(): void
}

/**
 * What becomes of a message. `flush`: it waits, and the target is asked for its answers. `run`: it is forwarded, and its
 * answer asked for. `again`: it is to be looked at once more. Bytes are forwarded in its place.
 */
export type Outcome = 'forward' | 'incomplete' | 'wait' | 'flush' | 'run' | 'again' | 'finished' | Buffer

/** In place of a message that is left out. */
export const NOTHING: Buffer = Buffer.alloc(0)
