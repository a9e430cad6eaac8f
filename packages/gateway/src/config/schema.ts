import { z } from 'zod'

/**
 * `sallyport.yaml`, as it is written. Every key's description is its line in the reference documentation
 * (`reference.ts`); what is left out gets the value in `default`.
 */

const address = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:.]+\]|[^\s:[\]]+):\d{1,5}$/, { error: 'must be "host:port"', abort: true })
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'the port must be at most 65535')

const secretReference = z
  .union(
    [
      z.strictObject({ env: z.string().min(1).describe('Name of an environment variable.') }),
      z.strictObject({
        file: z.string().min(1).describe('Path of a file; one newline at its end is not part of it.'),
      }),
    ],
    { error: 'must be { env: NAME } or { file: PATH }' },
  )
  .meta({ type: 'secret' })

const duration = z
  .string()
  .regex(/^[1-9]\d{0,8}(ms|s|m|h|d)$/, 'must be a duration like "30s", "15m", "8h"')
  .meta({ type: 'duration' })

const path = z.string().min(1).meta({ type: 'path' })

const notServed = (protocol: string): z.ZodOptional<z.ZodNever> =>
  z
    .never({ error: `${protocol} is not served by this version; remove the key` })
    .optional()
    .describe(
      `Reserved: ${protocol} is not served by this version, and the gateway refuses to start with it.`,
    )

/** What jose verifies and nobody can forge: no `none`, no shared secrets. RFC 8725 §3.1. */
const algorithm = z.enum([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
])

const claims = z.strictObject({
  id: z.string().min(1).default('sub').describe("The claim that is the principal's subject."),
  groups: z.string().min(1).default('groups').describe('The claim with the list of groups.'),
  kind: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The claim that says `user`, `agent` or `service`. Left out: an agent where `client_id` is `sub`, else a user.',
    ),
  attributes: z
    .record(z.string(), z.string().min(1))
    .default({})
    .describe('Further claims for policy: attribute name → claim name.')
    .meta({ type: 'map' }),
})

const issuer = z.strictObject({
  issuer: z
    .url({ protocol: /^https?$/ })
    .describe("The provider's issuer identifier, exactly as in its tokens (`iss`)."),
  audience: z.string().min(1).describe('What tokens for this gateway carry as `aud`.'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/, 'may hold letters, digits, ".", "_" and "-"')
    .optional()
    .describe(
      'Put before every subject, with a slash (`corp/ana`). Needed where several issuers are trusted.',
    ),
  algorithms: z
    .array(algorithm)
    .min(1)
    .default(['RS256', 'PS256', 'ES256', 'EdDSA'])
    .describe('Signature algorithms that are accepted.'),
  claims: claims.prefault({}).describe('Which claims mean what.'),
})

/** `approval.*`, `alarm.*`, or one type. */
const eventType = z
  .string()
  .regex(
    /^(approval|alarm)\.(\*|[a-z_]+)$/,
    'must be an event type such as "approval.requested" or "approval.*"',
  )

const webhook = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .describe('Where events are sent, by POST. Redirects are not followed.'),
  secret: secretReference.describe('The signing secret, `whsec_…` (Standard Webhooks).'),
  events: z.array(eventType).min(1).default(['approval.*', 'alarm.*']).describe('Which events are sent.'),
  statement: z
    .boolean()
    .default(false)
    .describe('Send the statement itself too, which may hold personal data.'),
})

const slackUser = z.strictObject({
  slack: z
    .string()
    .regex(/^[UW][A-Z0-9]{2,20}$/, 'must be a Slack user id such as "U012AB3CD"')
    .describe("The Slack user's id."),
  issuer: z.url({ protocol: /^https?$/ }).describe('The issuer of the person that they are.'),
  subject: z.string().min(1).describe("That person's subject (`sub`) there."),
})

const channelId = z.string().regex(/^[CGD][A-Z0-9]{2,20}$/, 'must be a Slack channel id such as "C012AB3CD"')

const slack = z.strictObject({
  botToken: secretReference.describe(
    'The bot token, `xoxb-…`, with `chat:write`, `users:read`, `users:read.email`.',
  ),
  appToken: secretReference.describe('The app-level token, `xapp-…`, with `connections:write`.'),
  apiUrl: z
    .url({ protocol: /^https?$/ })
    .default('https://slack.com/api/')
    .describe("Slack's Web API; GovSlack has another one."),
  channels: z
    .record(z.string().min(1), channelId)
    .default({})
    .describe('Approver group → id of the channel that it is asked in.')
    .meta({ type: 'map' }),
  defaultChannel: channelId
    .optional()
    .describe('For groups without a channel. Left out: they are not asked in Slack.'),
  users: z
    .array(slackUser)
    .default([])
    .describe('Which person a Slack user is, where their verified e-mail addresses do not say it.'),
  loginWithin: duration
    .default('24h')
    .describe('How long after a login at the gateway the groups of that login count for decisions in Slack.'),
})

export const configSchema = z.strictObject({
  listen: z
    .strictObject({
      http: address.default('127.0.0.1:7400').describe('Control API, console and MCP.'),
      postgres: address.default('127.0.0.1:7432').describe('PostgreSQL clients.'),
      ssh: notServed('SSH'),
      mysql: notServed('MySQL'),
    })
    .prefault({})
    .describe('Addresses to listen on, `host:port`; an IPv6 address in brackets.'),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'Where browsers, agents and the CLI reach `listen.http`. Left out: `http://` and that address.',
    ),
  database: z
    .union(
      [
        z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL'),
        z.strictObject({ env: z.string().min(1) }),
        z.strictObject({ file: z.string().min(1) }),
      ],
      { error: 'must be a postgres:// URL, { env: NAME } or { file: PATH }' },
    )
    .optional()
    .describe(
      'The PostgreSQL of the gateway, as a URL or a reference to one. Left out: an embedded one under `dataDir`.',
    )
    .meta({ type: 'URL or secret' }),
  dataDir: path
    .default('./.sallyport')
    .describe("The gateway's own files: journal, keys, the embedded database."),
  masterKey: secretReference
    .optional()
    .describe(
      '32 bytes, as 64 hexadecimal digits or in base64. Left out: made once, in `dataDir/master.key`.',
    ),
  tls: z
    .strictObject({
      cert: path.describe('PEM file: the certificate, then its chain.'),
      key: path.describe("PEM file: the certificate's private key."),
    })
    .optional()
    .describe(
      'The certificate for PostgreSQL clients. Left out: a self-signed one, made once, in `dataDir`.',
    ),
  identity: z
    .strictObject({
      issuers: z.array(issuer).default([]).describe('OpenID providers whose tokens are accepted.'),
    })
    .prefault({})
    .describe('Who may prove who they are, and how.'),
  resources: path
    .optional()
    .describe(
      'Directory of `*.yaml` and `*.cedar`, applied at every start. Left out: only what `sallyport apply` sent.',
    ),
  tickets: z
    .strictObject({
      defaultTtl: duration.default('15m').describe('How long a ticket is good for, unless asked otherwise.'),
      maxTtl: duration.default('1h').describe('The longest that can be asked for.'),
    })
    .prefault({})
    .describe('Short-lived secrets that clients show in place of a token.'),
  approvals: z
    .strictObject({
      maxWaiting: z
        .int()
        .min(1)
        .max(100_000)
        .default(5000)
        .describe('Requests that wait for people at once.'),
      maxWaitingPerPrincipal: z
        .int()
        .min(1)
        .max(100_000)
        .default(1000)
        .describe('The same, of one principal.'),
      hold: duration
        .default('45s')
        .describe(
          'How long an MCP call waits for people before it answers `pending`. Clients give up on calls in their own time.',
        ),
    })
    .prefault({})
    .describe("Requests for people's word."),
  slack: slack.optional().describe('Approvals in Slack, by Socket Mode. Left out: none.'),
  webhooks: z
    .strictObject({
      endpoints: z.array(webhook).max(50).default([]).describe('Who is told.'),
      allowAddresses: z
        .array(z.union([z.cidrv4(), z.cidrv6()]))
        .default([])
        .describe(
          'Networks (CIDR) that may be reached although they are loopback, link-local or a metadata service.',
        ),
    })
    .prefault({})
    .describe('Events for other systems, signed by Standard Webhooks.'),
  limits: z
    .strictObject({
      connections: z
        .int()
        .min(1)
        .max(100_000)
        .default(1000)
        .describe('Client connections at once, over all protocols.'),
      handshake: duration
        .default('10s')
        .describe('From the first byte of a connection to being admitted or refused.'),
    })
    .prefault({})
    .describe('What protects the gateway from its clients.'),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('The least level that is logged.'),
    })
    .prefault({})
    .describe('The log, on stderr, one JSON object a line.'),
})

/** The file's content after defaults, before references and paths are resolved. */
export type ConfigFile = z.output<typeof configSchema>
