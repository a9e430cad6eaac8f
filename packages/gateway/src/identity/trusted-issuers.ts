import { SallyportError } from '../access/errors.ts'
import { isIssuerIdentifier } from './load-issuer-keys.ts'
import type { TrustedIssuer } from './ports.ts'
import { POSSIBLE_ALGORITHMS } from './verify-token.ts'

/** No slash: the first slash of a principal's id must be the end of the prefix, or two issuers' ids could meet. */
const PREFIX = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/**
 * Checks that the trusted issuers can be told apart in every principal's id and are reached over a channel that can be
 * trusted.
 * @returns them by issuer identifier
 * @throws SallyportError CONFIG_INVALID
 */
export function trustedIssuers(issuers: readonly TrustedIssuer[]): ReadonlyMap<string, TrustedIssuer> {
  const byIssuer = new Map<string, TrustedIssuer>()
  const prefixes = new Set<string>()
  for (const trusted of issuers) {
    const { issuer, prefix } = trusted
    if (!isIssuerIdentifier(issuer)) {
      throw wrong(
        `"${issuer}" is not an https URL without query and fragment`,
        'http is accepted on loopback only',
      )
    }
    if (byIssuer.has(issuer)) throw wrong(`"${issuer}" is there twice`, 'keep one entry')
    if (trusted.audience === '')
      throw wrong(`"${issuer}" has no audience`, 'name what its tokens have as `aud`')
    const bad = trusted.algorithms.find((algorithm) => !POSSIBLE_ALGORITHMS.has(algorithm))
    if (bad !== undefined) {
      throw wrong(`"${issuer}" allows "${bad}"`, `use some of ${[...POSSIBLE_ALGORITHMS].join(', ')}`)
    }
    if (prefix === undefined && issuers.length > 1) {
      throw wrong(`"${issuer}" has no prefix`, 'with several issuers, each needs one of its own')
    }
    if (prefix !== undefined) {
      if (!PREFIX.test(prefix))
        throw wrong(`the prefix "${prefix}" is not a plain word`, 'letters, digits, . _ -')
      if (prefixes.has(prefix))
        throw wrong(`the prefix "${prefix}" is there twice`, 'each issuer needs its own')
      prefixes.add(prefix)
    }
    byIssuer.set(issuer, trusted)
  }
  return byIssuer
}

function wrong(message: string, hint: string): SallyportError {
  return new SallyportError('CONFIG_INVALID', `identity.issuers: ${message}`, { hint })
}
