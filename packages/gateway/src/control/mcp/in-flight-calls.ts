import type { ToolCaller } from './tool-caller.ts'

/**
 * Tool calls that are running, so that `notifications/cancelled` of MCP 2025-11-25 (which comes in a request of its own,
 * with nothing but the JSON-RPC id to go by) finds the call it means. Later generations close the call's stream instead.
 */
export class InFlightCalls {
  readonly #calls = new Map<string, Set<AbortController>>()

  /** Returns the signal of a call that begins, until it is disposed. */
  begin(caller: ToolCaller, id: string | number): { readonly signal: AbortSignal } & Disposable {
    const key = keyOf(caller, id)
    const controller = new AbortController()
    const same = this.#calls.get(key) ?? new Set()
    this.#calls.set(key, same.add(controller))
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        same.delete(controller)
        if (same.size === 0 && this.#calls.get(key) === same) this.#calls.delete(key)
      },
    }
  }

  /**
   * Cancels the one call that is meant. Two clients of one principal may number their calls alike: then none is cancelled,
   * rather than the wrong one.
   */
  cancel(caller: ToolCaller, id: string | number): void {
    const [only, ...others] = this.#calls.get(keyOf(caller, id)) ?? []
    if (others.length === 0) only?.abort(new Error('the client cancelled the call'))
  }
}

function keyOf({ principal, clientSession }: ToolCaller, id: string | number): string {
  return JSON.stringify([principal.kind, principal.id, clientSession, id])
}
