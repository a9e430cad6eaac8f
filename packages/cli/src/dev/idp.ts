import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import type { Provider } from 'oidc-provider'
import { DEV_PERSONA_GRANT, TOKEN_EXCHANGE_GRANT } from './idp-grants.ts'
import { answerInteraction } from './idp-interaction.ts'
import { signingKey } from './idp-key.ts'
import { PERSONAS, persona } from './idp-personas.ts'
import { CLI_CLIENT, devProvider } from './idp-provider.ts'

/** A running development identity provider. */
export interface DevIdp {
  /** The issuer identifier, for `identity.issuers[].issuer`. */
  readonly issuer: string
  /** An access token of a person or agent; with `onBehalfOf`, of an agent acting for that person. */
  token(name: string, options?: { readonly onBehalfOf?: string }): Promise<string>
  /** The secret an agent authenticates to the token endpoint with. A new one at each start. */
  clientSecret(agent: string): string
  close(): Promise<void>
}

/**
 * Starts a real OpenID provider in which everybody can be anybody: for `sallyport dev`, the demo and tests. It listens on
 * loopback only. `port` 0 takes a free one; `log` gets one line per event, never a secret.
 * @throws Error when `host` is not a loopback address or the port is taken
 */
export async function startDevIdp(options: {
  readonly port: number
  readonly host?: string
  /** Where the signing key is kept; left out, tokens end with the process. */
  readonly dataDir?: string
  readonly log: (line: string) => void
}): Promise<DevIdp> {
  const host = options.host ?? '127.0.0.1'
  if (!isLoopbackAddress(host)) {
    throw new Error(
      `the development identity provider gives anybody any token and listens on loopback only, not on ${host}`,
    )
  }
  const key = await signingKey(options.dataDir)
  const agents = PERSONAS.filter(({ kind }) => kind === 'agent')
  const secrets = new Map(agents.map(({ name }) => [name, randomBytes(32).toString('base64url')]))

  const server = createServer()
  const authority = await listen(server, host, options.port)
  const issuer = `http://${authority}`
  const provider = devProvider(issuer, key, secrets)
  provider.on('server_error', (_, error) => options.log(`development identity provider: ${error.message}`))
  server.on('request', listener(provider, authority))
  options.log(`development identity provider at ${issuer}: anybody on this machine can be anybody`)

  const clientSecret = (agent: string): string => {
    const secret = secrets.get(agent)
    if (secret === undefined) throw unknown(agent)
    return secret
  }
  return {
    issuer,
    clientSecret,
    async token(name, { onBehalfOf } = {}) {
      const one = persona(name)
      if (one === undefined) throw unknown(name)
      if (one.kind === 'agent')
        return await agentToken(issuer, { name, secret: clientSecret(name) }, onBehalfOf)
      if (onBehalfOf === undefined) return await personToken(issuer, name)
      throw new Error(`${name} is a person: only agents act on behalf of somebody`)
    },
    async close() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function isLoopbackAddress(host: string): boolean {
  return (isIP(host) === 4 && host.startsWith('127.')) || host === '::1'
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no TCP address')
  return `${isIP(host) === 6 ? `[${host}]` : host}:${address.port}`
}

function listener(provider: Provider, authority: string): RequestListener {
  const callback = provider.callback()
  return (request: IncomingMessage, response: ServerResponse): void => {
    // A web page whose name was made to resolve to this machine sends its own name here, and would get tokens.
    if (request.headers.host !== authority) {
      response.writeHead(421).end()
    } else if (request.url?.startsWith('/interaction/') === true) {
      void answerInteraction(provider, request, response)
    } else {
      void callback(request, response)
    }
  }
}

async function personToken(issuer: string, name: string): Promise<string> {
  if (persona(name, 'person') === undefined) throw unknown(name)
  return await requestToken(issuer, { grant_type: DEV_PERSONA_GRANT, persona: name, client_id: CLI_CLIENT })
}

async function agentToken(issuer: string, agent: Client, onBehalfOf: string | undefined): Promise<string> {
  if (onBehalfOf === undefined) return await requestToken(issuer, { grant_type: 'client_credentials' }, agent)
  const exchange = {
    grant_type: TOKEN_EXCHANGE_GRANT,
    subject_token: await personToken(issuer, onBehalfOf),
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  }
  return await requestToken(issuer, exchange, agent)
}

interface Client {
  readonly name: string
  readonly secret: string
}

/** One request to the token endpoint (RFC 6749 §3.2), as any client would make it. */
async function requestToken(
  issuer: string,
  parameters: Readonly<Record<string, string>>,
  client?: Client,
): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers:
      client === undefined ? {} : { authorization: `Basic ${btoa(`${client.name}:${client.secret}`)}` },
    body: new URLSearchParams(parameters),
  })
  const body: unknown = await response.json()
  if (
    typeof body === 'object' &&
    body !== null &&
    'access_token' in body &&
    typeof body.access_token === 'string'
  ) {
    return body.access_token
  }
  throw new Error(`the development identity provider gave no token: ${JSON.stringify(body)}`)
}

function unknown(name: string): Error {
  return new Error(`there is no "${name}"; there are ${PERSONAS.map((one) => one.name).join(', ')}`)
}
