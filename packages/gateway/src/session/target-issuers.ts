import type { Target } from '../access/model.ts'
import type { CredentialIssuer } from '../protocols/contract.ts'

/** One credential issuer per target, made when first needed, and made anew when the target's definition has changed. */
export class TargetIssuers implements AsyncDisposable {
  readonly #make: (target: Target) => CredentialIssuer
  readonly #issuers = new Map<string, { readonly definition: string; readonly issuer: CredentialIssuer }>()
  readonly #closing = new Set<Promise<void>>()

  constructor(make: (target: Target) => CredentialIssuer) {
    this.#make = make
  }

  for(target: Target): CredentialIssuer {
    const definition = definitionOf(target)
    const known = this.#issuers.get(target.name)
    if (known?.definition === definition) return known.issuer
    const issuer = this.#make(target)
    this.#issuers.set(target.name, { definition, issuer })
    if (known !== undefined) this.#close(known.issuer)
    return issuer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { issuer } of this.#issuers.values()) this.#close(issuer)
    this.#issuers.clear()
    await Promise.all(this.#closing)
  }

  #close(issuer: CredentialIssuer): void {
    const closing = Promise.resolve(issuer[Symbol.asyncDispose]()).catch(() => undefined)
    this.#closing.add(closing)
    void closing.then(() => this.#closing.delete(closing))
  }
}

/** Whether what was made on the one is to be looked for on the other. */
export function isSamePlace(one: Target, other: Target): boolean {
  const place = ({ protocol, address, database }: Target): string =>
    JSON.stringify([protocol, address.host, address.port, database])
  return place(one) === place(other)
}

/** Everything that an issuer is made from. The password is compared by value, and kept nowhere else. */
function definitionOf(target: Target): string {
  return JSON.stringify([target, target.credentials.password.reveal()])
}
