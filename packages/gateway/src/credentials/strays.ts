import type { CredentialIssuer } from '../protocols/contract.ts'
import type { Revocation } from './revoke-lease.ts'
import type { Retries } from './retries.ts'

const LIST_MS = 10_000
/** An expired role of another installation is its own to remove; after this it seems that nobody does. */
const FOREIGN_GRACE_MS = 60_000

type Listed = Awaited<ReturnType<CredentialIssuer['list']>>[number]

/**
 * Credentials on a target that no lease row knows: from a store that was restored or lost, from a crash of
 * the target that brought a dropped role back, from an installation that is no more.
 */
export class Strays {
  readonly #options: Revocation & { readonly owner: string; readonly now: () => number }
  readonly #retries: Retries

  constructor(
    options: Revocation & { readonly owner: string; readonly now: () => number },
    retries: Retries,
  ) {
    this.#options = options
    this.#retries = retries
  }

  /**
   * Looks twice. A plan is in the store before its role is on the target, so what was listed first and has no
   * row afterwards was never planned, or has been revoked in between; the second look tells the two apart.
   * @returns how many it removed
   */
  async remove(target: string, issuer: CredentialIssuer): Promise<number> {
    const { owner, store } = this.#options
    const first = await issuer.list(owner, AbortSignal.timeout(LIST_MS))
    if (first.length === 0) return 0
    const known = new Set((await store.open()).map(({ handle }) => handle))
    const unknown = first.filter(
      (one) => !known.has(one.handle) && this.#isOurs(one) && this.#retries.isDue(one.handle),
    )
    if (unknown.length === 0) return 0
    const still = new Set(
      (await issuer.list(owner, AbortSignal.timeout(LIST_MS))).map(({ handle }) => handle),
    )
    let removed = 0
    for (const { handle } of unknown) {
      if (still.has(handle) && (await this.#removeOne(target, issuer, handle))) removed++
    }
    return removed
  }

  async #removeOne(target: string, issuer: CredentialIssuer, handle: string): Promise<boolean> {
    const { audit, log } = this.#options
    try {
      audit({ type: 'lease.stray', target, detail: { role: handle } })
      await issuer.revoke(handle, AbortSignal.timeout(LIST_MS))
    } catch (error) {
      log.warn(
        { target, role: handle, error: String(error) },
        'a role that no lease knows could not be removed',
      )
      this.#retries.failed(handle, 0)
      return false
    }
    log.warn({ target, role: handle }, 'removed a role that no lease knows')
    this.#retries.forget(handle)
    return true
  }

  #isOurs({ handle, expiresAt }: Listed): boolean {
    if (handle.includes(`_${this.#options.owner}_`)) return true
    return expiresAt !== undefined && expiresAt.getTime() + FOREIGN_GRACE_MS < this.#options.now()
  }
}
