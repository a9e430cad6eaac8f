import type { Capability } from '../access/capability.ts'
import { SallyportError } from '../access/errors.ts'
import type { Lease } from '../credentials/held-lease.ts'

/** Policies on the time change what is permitted without anybody's doing. */
const CLOCK_MS = 10_000

/** A session whose credential is to follow what policy permits it. */
export interface Followed {
  /** The target's name. */
  readonly target: string
  readonly lease: Pick<Lease, 'change'>
  /** What policy permits it now, on the target as it is now. */
  readonly capability: () => Capability
  /** Ends the session. */
  readonly end: (why: SallyportError) => void
}

/**
 * The open sessions of this gateway, whose temporary roles are given and taken privileges while they are connected: what
 * was applied, or was made or dropped on the target, is not only decided by from then on, but also enforced by the target.
 */
export class FollowedSessions implements Disposable {
  readonly #sessions = new Set<Followed>()
  readonly #timer: NodeJS.Timeout

  /** @param hangsOnTime whether some policy asks what time it is */
  constructor(hangsOnTime: () => boolean) {
    this.#timer = setInterval(() => {
      if (hangsOnTime()) this.policiesChanged()
    }, CLOCK_MS)
    this.#timer.unref()
  }

  /**
   * Until it is disposed of. Looked at once now: something may have changed while its lease was being made.
   * @param again whether that was the target's catalog
   */
  follow(session: Followed, again: boolean): Disposable {
    this.#sessions.add(session)
    update(session, again)
    return { [Symbol.dispose]: () => void this.#sessions.delete(session) }
  }

  policiesChanged(): void {
    for (const session of this.#sessions) update(session, false)
  }

  /** Also where the capability stays the same: a table that was dropped and made again has lost its grants. */
  catalogChanged(target: string): void {
    for (const session of this.#sessions) if (session.target === target) update(session, true)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

/** A lease that cannot be changed ends its session by itself. */
function update(session: Followed, again: boolean): void {
  try {
    void session.lease.change(session.capability(), again)
  } catch (error) {
    session.end(
      new SallyportError('SESSION_ENDED', 'what policy permits this session could not be found out', {
        cause: error,
      }),
    )
  }
}
