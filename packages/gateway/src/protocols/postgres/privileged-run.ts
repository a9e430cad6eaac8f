import type { RedeemedApproval } from '../contract.ts'

/** Between an approved Bind and its Execute there is nothing to wait for: what takes longer is another run. */
const BOUND_MS = 5000

/**
 * An approved statement on its way: until it has ended, the session's credential may do more than the session, so that
 * nothing else of this session is sent meanwhile.
 */
export class PrivilegedRun {
  /** The portal that was bound and is still to be executed; undefined once the statement runs. */
  #portal: string | undefined
  readonly #approval: RedeemedApproval
  readonly #timer: NodeJS.Timeout | undefined
  #ending: Promise<void> | undefined
  #ended = false

  /** @param portal the name of the portal that a Bind makes; left out for a simple query, which runs at once */
  constructor(approval: RedeemedApproval, portal?: string) {
    this.#approval = approval
    this.#portal = portal
    if (portal !== undefined) this.#timer = setTimeout(() => void this.end(), BOUND_MS).unref()
  }

  /** Whether an Execute of this portal is the approved one. */
  awaits(portal: string): boolean {
    return this.#portal === portal && this.#ending === undefined
  }

  get isBound(): boolean {
    return this.#portal !== undefined
  }

  /** Its Execute is being sent. */
  runs(): void {
    clearTimeout(this.#timer)
    this.#portal = undefined
  }

  /** The privilege is gone. */
  get hasEnded(): boolean {
    return this.#ended
  }

  /** Takes the privilege away. Never rejects. */
  end(): Promise<void> {
    clearTimeout(this.#timer)
    this.#ending ??= this.#approval.release().then(() => {
      this.#ended = true
    })
    return this.#ending
  }
}
