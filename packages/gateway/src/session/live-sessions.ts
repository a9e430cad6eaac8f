import { SallyportError } from '../access/errors.ts'
import type { AccessContext, Principal, Target } from '../access/model.ts'

export interface LiveSession extends Disposable {
  readonly id: string
  readonly principal: Principal
  readonly target: Target
  readonly context: Omit<AccessContext, 'now'>
  readonly ticketId: string | undefined
  /** Aborts when the session must end; the reason is what its client is told. */
  readonly signal: AbortSignal
  /** Ends it. Only the first call counts. */
  end(why: SallyportError): void
  /** Ends it at that moment at the latest. */
  endAt(deadline: Date): void
}

/** The longest delay that a timer takes. */
const MAX_DELAY = 2 ** 31 - 1

/** The sessions that are open in this gateway, and what ends them early. */
export class LiveSessions {
  readonly #sessions = new Map<string, LiveSession>()

  get size(): number {
    return this.#sessions.size
  }

  /** Until it is disposed of. `stop` ends it as well. */
  open(
    about: {
      readonly id: string
      readonly principal: Principal
      readonly target: Target
      readonly context: Omit<AccessContext, 'now'>
      readonly ticketId: string | undefined
    },
    stop: AbortSignal,
  ): LiveSession {
    const controller = new AbortController()
    const sessions = this.#sessions
    const timers = new Set<NodeJS.Timeout>()
    const end = (why: SallyportError): void => controller.abort(why)
    const onStop = (): void => end(SallyportError.from(stop.reason))
    if (stop.aborted) onStop()
    else stop.addEventListener('abort', onStop)
    const session: LiveSession = {
      ...about,
      signal: controller.signal,
      end,
      endAt: (deadline) => {
        const delay = Math.max(0, deadline.getTime() - Date.now())
        if (delay > MAX_DELAY) return
        const timer = setTimeout(() => end(deadlineReached()), delay)
        timer.unref()
        timers.add(timer)
      },
      [Symbol.dispose]: () => {
        stop.removeEventListener('abort', onStop)
        for (const timer of timers) clearTimeout(timer)
        sessions.delete(about.id)
      },
    }
    sessions.set(about.id, session)
    return session
  }

  has(id: string): boolean {
    return this.#sessions.has(id)
  }

  /** @returns false when no such session is open here */
  kill(id: string, reason: string): boolean {
    const session = this.#sessions.get(id)
    session?.end(new SallyportError('SESSION_ENDED', reason))
    return session !== undefined
  }

  /** A ticket was revoked: what was opened with it ends. */
  ticketRevoked(ticketId: string): void {
    for (const session of this.#sessions.values()) {
      if (session.ticketId === ticketId) {
        session.end(new SallyportError('SESSION_ENDED', 'the ticket that opened this session was revoked'))
      }
    }
  }

  /** Asks of every session whether it may still be; those that may not are ended. */
  recheck(denied: (session: LiveSession) => string | undefined): void {
    for (const session of this.#sessions.values()) {
      const why = denied(session)
      if (why !== undefined) {
        session.end(new SallyportError('SESSION_ENDED', `policy no longer permits this session: ${why}`))
      }
    }
  }
}

function deadlineReached(): SallyportError {
  return new SallyportError('SESSION_ENDED', 'the session has reached its deadline', {
    hint: 'its ticket or its temporary credential ends now; open a new session',
  })
}
