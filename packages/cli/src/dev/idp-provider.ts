import { randomBytes } from 'node:crypto'
import type { JWK } from 'jose'
import { errors, Provider } from 'oidc-provider'
import type { ClientMetadata, Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { DEV_PERSONA_GRANT, registerDevGrants, TOKEN_EXCHANGE_GRANT } from './idp-grants.ts'
import { SIGNING_ALGORITHM } from './idp-key.ts'
import { escaped, page, PAGE_HEADERS } from './idp-pages.ts'
import { claimsOf, PERSONAS, persona } from './idp-personas.ts'
import { ACCESS_TOKEN_SECONDS, isOurResource, RESOURCE, resourceServer } from './idp-resource.ts'
import { memoryStorage } from './idp-storage.ts'

/** The public client that `sallyport login` and `sallyport dev token` are. */
export const CLI_CLIENT = 'sallyport-cli'
/** RFC 8628 §3.4. */
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/**
 * The OpenID provider of `sallyport dev`: authorization code with PKCE, device flow, client credentials and token
 * exchange as any provider would have them, plus the grant that gives anybody's token to anybody.
 */
export function devProvider(issuer: string, key: JWK, secrets: ReadonlyMap<string, string>): Provider {
  const provider = new Provider(issuer, configuration(key, secrets))
  const { d: _private, ...publicKey } = key
  registerDevGrants(provider, publicKey)
  return provider
}

function configuration(key: JWK, secrets: ReadonlyMap<string, string>): Configuration {
  return {
    adapter: memoryStorage(),
    jwks: { keys: [{ ...key, kty: 'EC' }] },
    clients: [cliClient(), ...[...secrets].map(([name, secret]) => agentClient(name, secret))],
    clientDefaults: { id_token_signed_response_alg: SIGNING_ALGORITHM },
    scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email'],
      groups: ['groups'],
    },
    cookies: { keys: [randomBytes(32)] },
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    findAccount: (_, id) => {
      const one = persona(id, 'person')
      return one && { accountId: id, claims: () => ({ sub: id, ...claimsOf(one) }) }
    },
    extraTokenClaims: (_, token) => tokenClaims(token),
    // Everybody has agreed to everything: a consent page would only stand in the way here.
    loadExistingGrant: async (ctx) => {
      const { client, session, provider } = ctx.oidc
      if (client === undefined || session?.accountId === undefined) return undefined
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
      grant.addOIDCScope('openid offline_access profile email groups')
      await grant.save()
      return grant
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    renderError: (ctx, out) => {
      show(ctx, page('That did not work', `<p>${escaped(out.error_description ?? out.error)}</p>`))
    },
    ttl: {
      AccessToken: ACCESS_TOKEN_SECONDS,
      AuthorizationCode: 60,
      ClientCredentials: ACCESS_TOKEN_SECONDS,
      DeviceCode: 600,
      Grant: 86_400,
      IdToken: ACCESS_TOKEN_SECONDS,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      // A token bound to a key would be refused by the gateway, which cannot ask for the proof on every protocol.
      dPoP: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (ctx, form, _, error) => {
          const again = error === undefined ? '' : '<p>That code is not known, or has expired.</p>'
          show(
            ctx,
            page('Enter the code from your terminal', `${again}${form}${submit('op.deviceInputForm')}`),
          )
        },
        userCodeConfirmSource: (ctx, form, _client, _device, code) => {
          const shown = `<p>Does your terminal show this code?</p><p><strong>${escaped(code)}</strong></p>`
          show(ctx, page('Confirm the code', `${shown}${form}${submit('op.deviceConfirmForm')}`))
        },
        successSource: (ctx) => show(ctx, page('Done', '<p>You can close this page.</p>')),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_, _client, oneOf) => oneOf?.[0] ?? RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, indicator) => {
          if (!isOurResource(indicator)) throw new errors.InvalidTarget()
          return resourceServer()
        },
      },
    },
  }
}

/** Groups and names of whoever the token is about; for an exchanged one, the agent in `act` (RFC 8693 §4.1). */
function tokenClaims(token: {
  clientId?: string | undefined
  accountId?: string
  gty?: string
}): Record<string, unknown> {
  const about = persona(token.accountId ?? token.clientId)
  const agent = token.gty === TOKEN_EXCHANGE_GRANT ? persona(token.clientId, 'agent') : undefined
  return {
    ...(about === undefined ? {} : claimsOf(about)),
    ...(agent === undefined ? {} : { act: { sub: agent.name, groups: [...agent.groups] } }),
  }
}

function cliClient(): ClientMetadata {
  return {
    client_id: CLI_CLIENT,
    client_name: 'sallyport command line',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    // RFC 8252 §7.3: any port on loopback.
    redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT, DEV_PERSONA_GRANT],
  }
}

function agentClient(name: string, secret: string): ClientMetadata {
  return {
    client_id: name,
    client_secret: secret,
    client_name: PERSONAS.find((one) => one.name === name)?.fullName ?? name,
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials', TOKEN_EXCHANGE_GRANT],
  }
}

function submit(form: string): string {
  return `<button type="submit" form="${form}" autofocus>Continue</button>`
}

function show(ctx: KoaContextWithOIDC, html: string): void {
  ctx.set(PAGE_HEADERS)
  ctx.body = html
}
