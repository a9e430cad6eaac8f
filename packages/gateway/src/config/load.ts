import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { SallyportError } from '../access/errors.ts'
import { Secret } from '../access/secret.ts'
import type { Config, IssuerConfig, ListenAddress, SlackConfig } from './config.ts'
import { durationMs } from './duration.ts'
import { configInvalid, parseConfig } from './parse-config.ts'
import { secretResolver } from './resolve-secret.ts'
import type { ConfigFile } from './schema.ts'

type Env = Readonly<Record<string, string | undefined>>

/**
 * Reads `sallyport.yaml`: defaults filled in, secrets fetched from the environment or their files, paths made absolute
 * from the file's own folder.
 * @throws SallyportError CONFIG_INVALID with every problem that the text has, or the first that resolving it meets
 */
export async function loadConfig(file: string, options: { readonly env: Env }): Promise<Config> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new SallyportError(
      'CONFIG_INVALID',
      `cannot read the configuration ${file}: ${cause.code ?? 'failed'}`,
      {
        hint: 'name the file with --config, or try "sallyport dev", which needs none',
        cause,
      },
    )
  })
  return resolveConfig(parseConfig(text, basename(file)), dirname(resolve(file)), options.env)
}

/** As `loadConfig`, of a checked file's content. @param folder that relative paths begin at */
export function resolveConfig(file: ConfigFile, folder: string, env: Env): Config {
  const resolveSecret = secretResolver(folder, env)
  const secret = (key: string, reference: Parameters<typeof resolveSecret>[0]): Secret => {
    try {
      return resolveSecret(reference)
    } catch (error) {
      throw configInvalid([`"${key}": ${error instanceof Error ? error.message : 'cannot be read'}`])
    }
  }
  const http = listenAddress(file.listen.http)
  const issuers = file.identity.issuers.map(issuerConfig)
  const problems = [...prefixProblems(issuers), ...ticketProblems(file)]
  if (problems.length > 0) throw configInvalid(problems)
  return {
    listen: { http, postgres: listenAddress(file.listen.postgres) },
    publicUrl: (file.publicUrl ?? urlOf(http)).replace(/\/+$/, ''),
    database:
      file.database === undefined
        ? undefined
        : typeof file.database === 'string'
          ? new Secret(file.database)
          : secret('database', file.database),
    dataDir: resolve(folder, file.dataDir),
    masterKey: file.masterKey === undefined ? undefined : secret('masterKey', file.masterKey),
    tls:
      file.tls === undefined
        ? undefined
        : {
            cert: secret('tls.cert', { file: file.tls.cert }).reveal(),
            key: secret('tls.key', { file: file.tls.key }),
          },
    issuers,
    resources: file.resources === undefined ? undefined : resolve(folder, file.resources),
    tickets: {
      defaultTtlSeconds: durationMs(file.tickets.defaultTtl) / 1000,
      maxTtlSeconds: durationMs(file.tickets.maxTtl) / 1000,
    },
    approvals: {
      maxWaiting: file.approvals.maxWaiting,
      maxWaitingPerPrincipal: file.approvals.maxWaitingPerPrincipal,
      holdMs: durationMs(file.approvals.hold),
    },
    slack: file.slack && slackConfig(file.slack, secret),
    webhooks: {
      endpoints: file.webhooks.endpoints.map(({ url, secret: reference, events, statement }, i) => ({
        url,
        secret: signingSecret(secret(`webhooks.endpoints[${i}].secret`, reference), i),
        events,
        statement,
      })),
      allowAddresses: file.webhooks.allowAddresses,
    },
    limits: { connections: file.limits.connections, handshakeMs: durationMs(file.limits.handshake) },
    log: file.log,
  }
}

function listenAddress(text: string): ListenAddress {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}

/** A wildcard address can be listened on, but not connected to. */
function urlOf({ host, port }: ListenAddress): string {
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

function issuerConfig(issuer: ConfigFile['identity']['issuers'][number]): IssuerConfig {
  const { id, groups, kind, attributes } = issuer.claims
  return {
    issuer: issuer.issuer,
    audience: issuer.audience,
    prefix: issuer.prefix,
    algorithms: issuer.algorithms,
    claims: { id, groups, kind, attributes },
  }
}

type ResolveSecret = (key: string, reference: { readonly env: string } | { readonly file: string }) => Secret

function slackConfig(slack: NonNullable<ConfigFile['slack']>, secret: ResolveSecret): SlackConfig {
  const { botToken, appToken, apiUrl, channels, defaultChannel, users, loginWithin } = slack
  const named = users.map((user) => user.slack)
  const twice = named.find((name, at) => named.indexOf(name) !== at)
  // Of two people behind one Slack account, one would decide in the other's name.
  const { protocol, hostname } = new URL(apiUrl)
  if (protocol !== 'https:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)) {
    throw configInvalid(['"slack.apiUrl": must be https, for the bot\'s token goes there'])
  }
  if (twice !== undefined) throw configInvalid([`"slack.users": ${twice} is there twice`])
  return {
    botToken: secret('slack.botToken', botToken),
    appToken: secret('slack.appToken', appToken),
    apiUrl: apiUrl.endsWith('/') ? apiUrl : `${apiUrl}/`,
    channels,
    defaultChannel,
    users,
    loginWithinMs: durationMs(loginWithin),
  }
}

/** Standard Webhooks: `whsec_` and 24 to 64 bytes in base64. A short one could be guessed from what it signs. */
function signingSecret(secret: Secret, i: number): Secret {
  const bytes = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret.reveal())?.[1]
  const length = bytes === undefined ? 0 : Buffer.from(bytes, 'base64').length
  if (length >= 24 && length <= 64) return secret
  throw configInvalid([
    `"webhooks.endpoints[${i}].secret": must be "whsec_" and 24 to 64 bytes in base64: printf 'whsec_%s' "$(openssl rand -base64 32)"`,
  ])
}

/** Two providers may both have an `ana`: without distinct prefixes one would have the other's rights. */
function prefixProblems(issuers: readonly IssuerConfig[]): readonly string[] {
  const seen = new Map<string | undefined, string>()
  const problems: string[] = []
  for (const { issuer, prefix } of issuers) {
    const other = seen.get(prefix)
    if (other !== undefined) {
      const what = prefix === undefined ? 'have no "prefix"' : `have the same prefix "${prefix}"`
      problems.push(`"identity.issuers": ${other} and ${issuer} ${what}; each needs one of its own`)
    }
    seen.set(prefix, issuer)
  }
  const names = issuers.map(({ issuer }) => issuer)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) problems.push(`"identity.issuers": ${twice} is there twice`)
  return problems
}

function ticketProblems(file: ConfigFile): readonly string[] {
  const { defaultTtl, maxTtl } = file.tickets
  if (durationMs(defaultTtl) < 1000) return ['"tickets.defaultTtl": must be at least a second']
  if (durationMs(defaultTtl) > durationMs(maxTtl)) {
    return [`"tickets.defaultTtl": ${defaultTtl} is longer than "tickets.maxTtl", ${maxTtl}`]
  }
  return []
}
