import { randomBytes, randomInt } from 'node:crypto'

/** What a CancelRequest must show: 31 bits of process id and 32 of secret, both random, so 63 bits to guess. */
export interface CancelKey {
  readonly pid: number
  readonly secret: Buffer
}

/**
 * The keys that admitted sessions were given (BackendKeyData), each with what cancels that session's statement. A key of
 * one session does nothing to any other, and the target's own key never reaches a client.
 */
export class CancelKeys {
  readonly #cancels = new Map<string, () => Promise<void>>()

  /** A fresh key; `cancel` is called for each CancelRequest that shows it, until `release`. */
  issue(cancel: () => Promise<void>): { readonly key: CancelKey; readonly release: () => void } {
    const key = { pid: randomInt(1, 0x7fffffff), secret: randomBytes(4) }
    const id = idOf(key)
    if (this.#cancels.has(id)) return this.issue(cancel)
    this.#cancels.set(id, cancel)
    return { key, release: () => this.#cancels.delete(id) }
  }

  /** An unknown key does nothing, and says nothing, as in PostgreSQL. Resolves when the target has the request. */
  async cancel(key: CancelKey): Promise<void> {
    await this.#cancels.get(idOf(key))?.()
  }
}

function idOf(key: CancelKey): string {
  return `${key.pid}:${key.secret.toString('hex')}`
}
