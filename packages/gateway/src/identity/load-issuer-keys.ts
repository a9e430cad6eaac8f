import type { JSONWebKeySet, JWK } from 'jose'
import { fetchJson } from './fetch-json.ts'

/** Providers publish two or three; the bound keeps one lookup cheap. */
const MAX_KEYS = 64

/**
 * Reads the provider's metadata and then its signing keys (OpenID Connect Discovery §4, RFC 7517 §5). Symmetric keys in
 * the set are left out: nothing that is published can be a shared secret.
 * @throws Error when either cannot be had, or the metadata is another issuer's
 */
export async function loadIssuerKeys(issuer: string, fetcher: typeof fetch): Promise<JSONWebKeySet> {
  const metadata = await fetchJson(discoveryUrl(issuer), fetcher)
  // §4.3: exact comparison; a provider that claims to be another one could mint that one's subjects.
  if (metadata['issuer'] !== issuer) throw new Error('the discovery document is of another issuer')
  const jwksUri = metadata['jwks_uri']
  if (typeof jwksUri !== 'string') throw new Error('the discovery document has no "jwks_uri"')
  const location = URL.parse(jwksUri)
  if (location === null || !isTrustworthy(location)) throw new Error('the "jwks_uri" is not an https URL')
  // A provider elsewhere must not be able to point the gateway at something on the gateway's own host.
  if (isLoopback(location) && !isLoopback(new URL(issuer))) throw new Error('the "jwks_uri" is on loopback')

  const { keys } = await fetchJson(location, fetcher)
  if (!Array.isArray(keys)) throw new Error('the key set has no "keys"')
  if (keys.length > MAX_KEYS) throw new Error(`the key set has more than ${MAX_KEYS} keys`)
  const usable = keys.filter(isPublicKey)
  if (usable.length === 0) throw new Error('the key set has no usable key')
  return { keys: usable }
}

/** An issuer identifier has no query or fragment (OpenID Connect Core §1.2) and uses https, except on loopback. */
export function isIssuerIdentifier(issuer: string): boolean {
  const url = URL.parse(issuer)
  return url !== null && isTrustworthy(url) && url.search === '' && url.hash === '' && url.username === ''
}

function discoveryUrl(issuer: string): URL {
  return new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
}

function isTrustworthy(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
}

function isLoopback(url: URL): boolean {
  // URL has already turned every spelling of an IPv4 address into four decimal numbers.
  return /^127\.\d+\.\d+\.\d+$/.test(url.hostname) || url.hostname === '[::1]' || url.hostname === 'localhost'
}

function isPublicKey(key: unknown): key is JWK {
  return typeof key === 'object' && key !== null && 'kty' in key && key.kty !== 'oct'
}
