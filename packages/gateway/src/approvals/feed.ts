import type { Approval } from './ports.ts'

/** What has just happened to a request. `previewed`: its impact is known now; `progress`: one of several people has said yes. */
export type ApprovalEventType =
  | 'requested'
  | 'previewed'
  | 'progress'
  | 'granted'
  | 'denied'
  | 'expired'
  | 'withdrawn'
  | 'used'

export interface ApprovalEvent {
  readonly type: ApprovalEventType
  readonly approval: Approval
}

/** Tells whoever listens, in this process and at once: a store has one gateway, so nothing happens to it elsewhere. */
export class ApprovalFeed {
  readonly #listeners = new Set<(event: ApprovalEvent) => void>()
  readonly #failed: (error: unknown) => void

  /** @param failed told what a listener threw: the others are told all the same */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Until it is disposed of. */
  subscribe(listener: (event: ApprovalEvent) => void): Disposable {
    const one = (event: ApprovalEvent): void => listener(event)
    this.#listeners.add(one)
    return { [Symbol.dispose]: () => void this.#listeners.delete(one) }
  }

  tell(event: ApprovalEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (error) {
        this.#failed(error)
      }
    }
  }
}
