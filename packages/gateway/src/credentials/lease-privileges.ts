import type { Capability } from '../access/capability.ts'

/** Makes a credential's privileges exactly these: `CredentialIssuer.assign`. */
export type AssignPrivileges = (capability: Capability, extra: readonly Capability[]) => Promise<void>

/**
 * What the credential of one lease is meant to be able to do, and bringing the target to it: one change at a time, each to
 * what is meant by then. A change that failed is done again with the next one.
 */
export class LeasePrivileges {
  readonly #assign: AssignPrivileges
  readonly #extra = new Set<Capability>()
  #capability: Capability
  /** Empty while it is not certain what the target has. */
  #inForce: string
  #last: Promise<void> = Promise.resolve()

  /** @param capability what the credential is made with */
  constructor(capability: Capability, assign: AssignPrivileges) {
    this.#capability = capability
    this.#inForce = nameOf(capability, [])
    this.#assign = assign
  }

  get capability(): Capability {
    return this.#capability
  }

  /**
   * What it can do without any extra from now on.
   * @param again also when it is the same: the target may have lost grants, as of a table that was dropped and made again
   * @throws as the assignment does: the target may have any of the two
   */
  async change(capability: Capability, again = false): Promise<void> {
    this.#capability = capability
    await this.#bringToTarget(again)
  }

  /**
   * Adds something until `take` takes it away; the same may be added twice, and is there until both are taken.
   * @throws as the assignment does: then it has to be taken away, too
   */
  async add(extra: Capability): Promise<void> {
    this.#extra.add(extra)
    await this.#bringToTarget()
  }

  /** @param extra the very object that was added. @throws as the assignment does: the target may still have it */
  async take(extra: Capability): Promise<void> {
    this.#extra.delete(extra)
    await this.#bringToTarget()
  }

  #bringToTarget(again = false): Promise<void> {
    const bringing = this.#last.then(async () => {
      // Not before: the change that is on its way would take it for done.
      if (again) this.#inForce = ''
      const capability = this.#capability
      const extra = [...this.#extra]
      const name = nameOf(capability, extra)
      if (name === this.#inForce) return
      this.#inForce = ''
      await this.#assign(capability, extra)
      this.#inForce = name
    })
    this.#last = bringing.catch(() => undefined)
    return bringing
  }
}

function nameOf(capability: Capability, extra: readonly Capability[]): string {
  return [...new Set([capability, ...extra].map(({ hash }) => hash))].toSorted().join(' ')
}
