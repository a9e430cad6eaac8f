import { decodeJwt, errors, jwtVerify } from 'jose'
import type { JWTPayload } from 'jose'
import { AuthenticationFailed, SallyportError } from '../access/errors.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import type { TrustedIssuer } from './ports.ts'

/** Used where an issuer's configuration names none. */
export const DEFAULT_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const

/** Everything that may be configured: signatures only. With `none` or HMAC anybody could sign with what is public. */
export const POSSIBLE_ALGORITHMS: ReadonlySet<string> = new Set([
  ...DEFAULT_ALGORITHMS,
  'RS384',
  'RS512',
  'PS384',
  'PS512',
  'ES512',
  'Ed25519',
])

/** Hosts' clocks differ; a minute covers those that are kept at all. */
export const CLOCK_SKEW_SECONDS = 60

/** RFC 9068 §2.1 and the plain or absent type of older providers. Logout tokens, JARM and the like are not proof. */
const ACCEPTED_TYPES: ReadonlySet<string> = new Set([
  'at+jwt',
  'application/at+jwt',
  'jwt',
  'application/jwt',
])

/** Who issued it, as the token itself says: only for choosing the keys to check it with. Undefined: unreadable. */
export function claimedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss
  } catch {
    return undefined
  }
}

/**
 * Verifies a JWS compact token of one issuer: signature, `iss`, `aud`, `exp` (required), `nbf`, `iat`, type (RFC 7519,
 * RFC 9068 §4). `now` is epoch milliseconds.
 * @returns its claims, with `exp` in epoch seconds
 * @throws AuthenticationFailed AUTH_TOKEN_EXPIRED, AUTH_TOKEN_INVALID, AUTH_ISSUER_UNAVAILABLE
 */
export async function verifyToken(
  token: string,
  issuer: TrustedIssuer,
  keys: IssuerKeys,
  now: number,
): Promise<JWTPayload & { readonly exp: number }> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, (header, jws) => keys.find(header, jws), {
      issuer: issuer.issuer,
      audience: issuer.audience,
      algorithms: issuer.algorithms.length === 0 ? [...DEFAULT_ALGORITHMS] : [...issuer.algorithms],
      clockTolerance: CLOCK_SKEW_SECONDS,
      currentDate: new Date(now),
      requiredClaims: ['exp'],
    })
    const { exp, iat } = payload
    if (exp === undefined) throw invalid('it has no expiry')
    if (iat !== undefined && iat > now / 1000 + CLOCK_SKEW_SECONDS)
      throw invalid('it was issued in the future')
    if (protectedHeader.typ !== undefined && !ACCEPTED_TYPES.has(protectedHeader.typ.toLowerCase())) {
      throw invalid('its type is not that of an access token')
    }
    // RFC 7800: a token bound to a key is worth nothing without proof of that key, which no client can give here.
    if (payload['cnf'] !== undefined)
      throw invalid('it is bound to a key (DPoP or mutual TLS), not a bearer token')
    return { ...payload, exp }
  } catch (error) {
    throw refusal(error)
  }
}

function refusal(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error
  if (error instanceof errors.JWTExpired) {
    return new AuthenticationFailed('AUTH_TOKEN_EXPIRED', `the token expired${moment(error.payload.exp)}`, {
      hint: 'get a new one from the identity provider, for instance with `sallyport login`',
      cause: error,
    })
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return invalid(CLAIM_REASONS[error.claim] ?? `its claim "${error.claim}" is not acceptable`, error)
  }
  if (error instanceof errors.JOSEAlgNotAllowed)
    return invalid('its signature algorithm is not allowed', error)
  if (error instanceof errors.JWKSNoMatchingKey)
    return invalid('the provider has no key it was signed with', error)
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return invalid('it does not say which key signed it', error)
  if (error instanceof errors.JWSSignatureVerificationFailed) return invalid('its signature is wrong', error)
  return invalid('it is malformed', error)
}

/** A provider's `exp` may be any number, also one that is no date. */
function moment(seconds: number | undefined): string {
  const date = new Date((seconds ?? Number.NaN) * 1000)
  return Number.isNaN(date.getTime()) ? '' : ` at ${date.toISOString()}`
}

const CLAIM_REASONS: Readonly<Record<string, string>> = {
  aud: 'it was issued for another audience',
  exp: 'it has no valid expiry',
  iss: 'it was issued by another issuer',
  nbf: 'it is not valid yet',
}

/** The refusal of a token, for a reason that its bearer may know. */
export function invalid(reason: string, cause?: unknown): AuthenticationFailed {
  return new AuthenticationFailed('AUTH_TOKEN_INVALID', `the token is refused: ${reason}`, {
    hint: 'show an access token that a trusted identity provider issued for this gateway, or a ticket',
    ...(cause === undefined ? {} : { cause }),
  })
}
