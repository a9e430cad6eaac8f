import type { Capability } from '../access/capability.ts'

/** Makes the credential's capability exactly these. @throws SallyportError */
export type AssignCapability = (capability: Capability, extra: readonly Capability[]) => Promise<void>

/** Something that a credential may do for as long as one statement runs. */
export interface Privilege {
  /** Takes it away. @throws SallyportError when that cannot be done: the credential has to go then */
  release(): Promise<void>
}

/**
 * What the credential of one live lease may do: what its session may, and more for as long as an approved statement runs.
 * Changes come one after the other, each with all that holds then, so that none undoes another.
 */
export class LeasePrivileges {
  readonly #assign: AssignCapability
  readonly #extra = new Set<{ readonly capability: Capability }>()
  #own: Capability
  #last: Promise<void> = Promise.resolve()

  constructor(own: Capability, assign: AssignCapability) {
    this.#own = own
    this.#assign = assign
  }

  /** What the session itself may do is this from now on: policies or the target's catalog have changed. @throws SallyportError */
  become(own: Capability): Promise<void> {
    return this.#next(() => {
      this.#own = own
    })
  }

  /** @throws SallyportError when the target does not give it; then it is taken away again */
  async elevate(capability: Capability): Promise<Privilege> {
    const one = { capability }
    try {
      await this.#next(() => this.#extra.add(one))
    } catch (error) {
      await this.#next(() => this.#extra.delete(one)).catch(() => undefined)
      throw error
    }
    let released: Promise<void> | undefined
    return {
      release: () => (released ??= this.#next(() => this.#extra.delete(one))),
    }
  }

  #next(change: () => void): Promise<void> {
    const done = this.#last.then(() => {
      change()
      return this.#assign(
        this.#own,
        [...this.#extra].map(({ capability }) => capability),
      )
    })
    this.#last = done.catch(() => undefined)
    return done
  }
}
