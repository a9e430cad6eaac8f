import type { Principal } from '../../access/model.ts'
import type { KnownPerson, PeopleStore } from '../ports.ts'

/** What Slack says about one of its users (`users.info`). */
export interface SlackProfile {
  readonly email: string | undefined
  readonly emailConfirmed: boolean
  /** A full member: no bot, no guest, not deactivated. */
  readonly isMember: boolean
}

/** The attributes under which the issuer's address and its proof are configured (OpenID Connect Core §5.1). */
const EMAIL = 'email'
const EMAIL_VERIFIED = 'email_verified'

/**
 * Who a Slack user is, as their identity provider has said it: Slack's word is worth no group. The link is the
 * configuration's, or an address that both Slack and the provider have verified and that only one person has; the groups are
 * those of that person's last login at the gateway, if it is not too long ago.
 */
export class SlackLinks {
  readonly #options: {
    readonly users: readonly { readonly slack: string; readonly issuer: string; readonly subject: string }[]
    readonly loginWithinMs: number
    readonly people: PeopleStore
    readonly profile: (user: string) => Promise<SlackProfile | undefined>
    readonly now: () => number
  }

  constructor(options: {
    readonly users: readonly { readonly slack: string; readonly issuer: string; readonly subject: string }[]
    readonly loginWithinMs: number
    readonly people: PeopleStore
    readonly profile: (user: string) => Promise<SlackProfile | undefined>
    readonly now: () => number
  }) {
    this.#options = options
  }

  /** @returns the person, or why the user is nobody who can decide */
  async personBehind(user: string): Promise<Principal | string> {
    const profile = await this.#options.profile(user)
    if (profile === undefined || !profile.isMember) return 'only members of this workspace decide'
    const found = await this.#known(user, profile)
    if (typeof found === 'string') return found
    if (this.#options.now() - found.seenAt.getTime() > this.#options.loginWithinMs) {
      return 'your last login at the gateway is too long ago: run `sallyport whoami`, then decide'
    }
    return found.principal
  }

  async #known(user: string, { email, emailConfirmed }: SlackProfile): Promise<KnownPerson | string> {
    const { users, people } = this.#options
    const named = users.find(({ slack }) => slack === user)
    if (named !== undefined) {
      const known = await people.bySubject(named.issuer, named.subject)
      return known ?? 'you have not logged in at the gateway yet: run `sallyport whoami`, then decide'
    }
    if (email === undefined || !emailConfirmed) return NOT_LINKED
    const verified = (await people.byEmail(email)).filter(
      ({ principal }) =>
        principal.attributes[EMAIL_VERIFIED] === 'true' && principal.attributes[EMAIL] !== undefined,
    )
    const [one, ...others] = verified
    return one === undefined || others.length > 0 ? NOT_LINKED : one
  }
}

const NOT_LINKED =
  'your Slack account is not linked to a person that the gateway knows: `slack.users` in its configuration links it, or a verified e-mail address that is the same in both'
