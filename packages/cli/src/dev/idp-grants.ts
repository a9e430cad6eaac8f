import { createLocalJWKSet, jwtVerify } from 'jose'
import type { JWK, JWTPayload } from 'jose'
import { errors } from 'oidc-provider'
import type { Provider, TokenEndpointGrantContext } from 'oidc-provider'
import { SIGNING_ALGORITHM } from './idp-key.ts'
import { persona } from './idp-personas.ts'
import { AUDIENCE, RESOURCE, resourceServer } from './idp-resource.ts'

/** A person's token for whoever asks. No standard has such a thing, and no provider but this one may. */
export const DEV_PERSONA_GRANT = 'urn:sallyport:grant-type:dev-persona'
/** RFC 8693 §2.1. */
export const TOKEN_EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'

const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'

const EXCHANGE_PARAMETERS = [
  'subject_token',
  'subject_token_type',
  'requested_token_type',
  'actor_token',
  'resource',
  'audience',
  'scope',
] as const
type ExchangeParameters = Partial<Record<(typeof EXCHANGE_PARAMETERS)[number], string>>

/** Adds both grants to the provider. `publicKey` is the one its tokens are checked with. */
export function registerDevGrants(provider: Provider, publicKey: JWK): void {
  provider.registerGrantType<{ persona?: string }>(
    DEV_PERSONA_GRANT,
    async (ctx) => {
      const one = persona(ctx.oidc.params.persona, 'person')
      if (one === undefined) throw new errors.InvalidGrant('there is no such person')
      ctx.body = await accessToken(provider, ctx, one.name)
    },
    ['persona', 'scope', 'resource'],
  )

  const keys = createLocalJWKSet({ keys: [publicKey] })
  provider.registerGrantType<ExchangeParameters>(
    TOKEN_EXCHANGE_GRANT,
    async (ctx) => {
      const subject = await exchangeable(ctx.oidc.params, async (token) => {
        const { payload } = await jwtVerify(token, keys, {
          issuer: provider.issuer,
          audience: AUDIENCE,
          algorithms: [SIGNING_ALGORITHM],
          typ: 'at+jwt',
          requiredClaims: ['exp', 'sub'],
        })
        return payload
      })
      const issued = await accessToken(provider, ctx, subject.name, subject.secondsLeft)
      ctx.body = { ...issued, issued_token_type: ACCESS_TOKEN_TYPE }
    },
    EXCHANGE_PARAMETERS,
  )
}

/** The person whose token this is, if an agent may act with it. @throws OIDCProviderError (RFC 8693 §2.2.2) */
async function exchangeable(
  params: ExchangeParameters,
  verify: (token: string) => Promise<JWTPayload>,
): Promise<{ readonly name: string; readonly secondsLeft: number }> {
  const { subject_token: token, subject_token_type: type, requested_token_type: wanted } = params
  if (token === undefined) throw new errors.InvalidRequest('subject_token is missing')
  if (type !== ACCESS_TOKEN_TYPE && type !== JWT_TYPE)
    throw new errors.InvalidRequest('unknown subject_token_type')
  if (wanted !== undefined && wanted !== ACCESS_TOKEN_TYPE && wanted !== JWT_TYPE) {
    throw new errors.InvalidRequest('unknown requested_token_type')
  }
  // The actor is the client that authenticated; a second opinion about who it is could only contradict that.
  if (params.actor_token !== undefined) throw new errors.InvalidRequest('actor_token is not supported')
  if (params.audience !== undefined && params.audience !== AUDIENCE) throw new errors.InvalidTarget()

  const claims = await verify(token).catch((cause: unknown) => {
    throw Object.assign(new errors.InvalidRequest('subject_token is not valid'), { cause })
  })
  if (claims['act'] !== undefined) throw new errors.InvalidRequest('subject_token has been delegated already')
  const person = persona(claims.sub, 'person')
  if (person === undefined) throw new errors.InvalidRequest("subject_token is not a person's")
  // Delegation must not lengthen what the person's own token allows.
  return { name: person.name, secondsLeft: Math.floor((claims.exp ?? 0) - Date.now() / 1000) }
}

async function accessToken(
  provider: Provider,
  ctx: TokenEndpointGrantContext,
  accountId: string,
  secondsLeft = Number.POSITIVE_INFINITY,
): Promise<{ access_token: string; token_type: string; expires_in: number }> {
  const server = resourceServer()
  const expiresIn = Math.min(server.accessTokenTTL, secondsLeft)
  if (expiresIn <= 0) throw new errors.InvalidRequest('subject_token has expired')
  const token = new provider.AccessToken({
    accountId,
    client: ctx.oidc.client,
    expiresIn,
    // Nothing is kept that could be revoked with it: the token is a JWT, and its consent is implied.
    grantId: '',
    gty: ctx.oidc.params.grant_type,
    resourceServer: new provider.ResourceServer(RESOURCE, server),
    scope: '',
  })
  ctx.oidc.entity('AccessToken', token)
  return { access_token: await token.save(), token_type: 'Bearer', expires_in: expiresIn }
}
