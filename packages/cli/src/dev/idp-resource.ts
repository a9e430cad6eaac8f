import { SIGNING_ALGORITHM } from './idp-key.ts'

/** The `aud` of every token: what the gateway's configuration in development expects. */
export const AUDIENCE = 'sallyport'

/** The resource indicator (RFC 8707) that stands for the gateway where a client names none. */
export const RESOURCE = 'urn:sallyport'

/** One working session of somebody who develops; long enough not to be in the way, short enough to see expiry. */
export const ACCESS_TOKEN_SECONDS = 60 * 60

/** MCP clients name the gateway by its URL (RFC 8707 §2), which in development is on this machine. */
export function isOurResource(indicator: string): boolean {
  if (indicator === RESOURCE) return true
  const url = URL.parse(indicator)
  return (
    url !== null && url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  )
}

/** Access tokens for the gateway: JWTs (RFC 9068) for one audience. */
export function resourceServer(): {
  scope: string
  audience: string
  accessTokenFormat: 'jwt'
  accessTokenTTL: number
  jwt: { sign: { alg: typeof SIGNING_ALGORITHM } }
} {
  return {
    scope: '',
    audience: AUDIENCE,
    accessTokenFormat: 'jwt',
    accessTokenTTL: ACCESS_TOKEN_SECONDS,
    jwt: { sign: { alg: SIGNING_ALGORITHM } },
  }
}
