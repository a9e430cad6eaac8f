import type { Secret } from '../access/secret.ts'

/** `sallyport.yaml` after reading: defaults filled in, secrets resolved, paths absolute. */
export interface Config {
  readonly listen: {
    readonly http: ListenAddress
    readonly postgres: ListenAddress
  }
  /** Where browsers, agents and the CLI reach `listen.http`. */
  readonly publicUrl: string
  /** Undefined: an embedded PostgreSQL under `dataDir`. */
  readonly database: Secret | undefined
  readonly dataDir: string
  /** 32 bytes. Undefined: made once and kept in `dataDir/master.key`, mode 0600. */
  readonly masterKey: Secret | undefined
  /** The certificate shown to PostgreSQL clients. Undefined: a self-signed one is made once and kept in `dataDir`. */
  readonly tls: { readonly cert: string; readonly key: Secret } | undefined
  readonly issuers: readonly IssuerConfig[]
  /** Directory of `*.yaml` and `*.cedar`; undefined: only what `sallyport apply` sent. */
  readonly resources: string | undefined
  readonly tickets: { readonly defaultTtlSeconds: number; readonly maxTtlSeconds: number }
  readonly approvals: {
    readonly maxWaiting: number
    readonly maxWaitingPerPrincipal: number
    /** How long an MCP call waits for people, in milliseconds. */
    readonly holdMs: number
  }
  /** Undefined: no approvals in Slack. */
  readonly slack: SlackConfig | undefined
  readonly webhooks: WebhooksConfig
  readonly limits: {
    /** Client connections at once, over all protocols. */
    readonly connections: number
    /** From the first byte to being admitted or refused, in milliseconds. */
    readonly handshakeMs: number
  }
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' }
}

/** An app in a Slack workspace, connected by Socket Mode. */
export interface SlackConfig {
  readonly botToken: Secret
  readonly appToken: Secret
  readonly apiUrl: string
  /** Approver group → channel id. */
  readonly channels: Readonly<Record<string, string>>
  readonly defaultChannel: string | undefined
  readonly users: readonly { readonly slack: string; readonly issuer: string; readonly subject: string }[]
  readonly loginWithinMs: number
}

/** Who is told of events, and how they know that it is us. */
export interface WebhooksConfig {
  readonly endpoints: readonly {
    readonly url: string
    readonly secret: Secret
    /** `approval.requested`, `approval.*`. */
    readonly events: readonly string[]
    readonly statement: boolean
  }[]
  /** CIDR; reached although they are loopback, link-local or a metadata service. */
  readonly allowAddresses: readonly string[]
}

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** A trusted OpenID provider. */
export interface IssuerConfig {
  readonly issuer: string
  readonly audience: string
  /** Put before every subject, with a slash. Needed where several issuers are trusted, so that no two subjects collide. */
  readonly prefix: string | undefined
  readonly algorithms: readonly string[]
  readonly claims: {
    readonly id: string
    readonly groups: string
    readonly kind: string | undefined
    readonly attributes: Readonly<Record<string, string>>
  }
}
