import type { Duplex } from 'node:stream'
import type { MaskedColumn } from '../access/masking.ts'
import type { Relation } from '../access/catalog.ts'
import type { AccessContext, Decision, Principal, Target } from '../access/model.ts'
import type { Secret } from '../access/secret.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { RecentEvents } from '../approvals/recent-events.ts'
import type { Reviews } from '../approvals/reviews/reviews.ts'
import type { Audit } from '../audit/ports.ts'
import type { LeaseStore } from '../credentials/ports.ts'
import type { TicketRow } from '../identity/ports.ts'
import type { TicketRequest } from '../identity/tickets.ts'
import type { AskedContext } from '../policy/cedar-request.ts'
import type { AdminAction } from '../policy/cedar-schema.ts'
import type { LintFinding } from '../policy/lint-resources.ts'
import type { ResourceFile, ResourceSet } from '../policy/ports.ts'
import type { ShownPolicy, Simulation } from '../policy/simulation.ts'
import type { SessionStore } from '../recording/ports.ts'

/** Everything that the control API and the MCP endpoint use. Each part is as narrow as what is asked of it. */
export interface ControlServices {
  readonly settings: ControlSettings
  readonly log: ControlLog
  readonly audit: Audit
  readonly identity: {
    /** @throws AuthenticationFailed */
    bearer(token: Secret): Promise<Principal>
  }
  readonly tickets: {
    /** @throws SallyportError REQUEST_INVALID */
    issue(
      principal: Principal,
      request: TicketRequest,
    ): Promise<{ readonly id: string; readonly ticket: Secret; readonly expiresAt: Date }>
    get(id: string): Promise<TicketRow | undefined>
    /** Ends the ticket and the sessions on it; true when it was there and not yet revoked. */
    revoke(id: string): Promise<boolean>
  }
  readonly targets: {
    list(): readonly Target[]
    get(name: string): Target | undefined
    /** Relations and columns of the target that the principal may read. @throws SallyportError TARGET_UNREACHABLE */
    describe(principal: Principal, target: Target): Promise<readonly ReadableRelation[]>
  }
  readonly policy: {
    decideAdmin(principal: Principal, action: AdminAction, context: AskedContext): Decision
    decideConnect(principal: Principal, target: Target, context: AskedContext): Decision
  }
  readonly sessions: SessionStore & {
    /** Ends a live session. False when this gateway has no such session (any more). */
    kill(id: string, reason: string): boolean
  }
  readonly leases: Pick<LeaseStore, 'get' | 'list'> & {
    /** Settles when the credential is gone. @throws SallyportError LEASE_FAILED; the sweeper goes on trying then */
    revoke(id: string): Promise<void>
  }
  readonly approvals: Pick<Approvals, 'get' | 'list' | 'decide' | 'revoke' | 'similar' | 'settled'> & {
    readonly events: Pick<RecentEvents, 'since' | 'next'>
  }
  readonly reviews: Pick<Reviews, 'get' | 'list' | 'close'>
  readonly resources: {
    current(): Promise<ResourceSet | undefined>
    /** Reads, keeps and puts in force. @throws ResourcesInvalid, SallyportError RESOURCE_CONFLICT */
    apply(files: readonly ResourceFile[], expected: number, appliedBy: string): Promise<ResourceSet>
  }
  /** What people ask about policies without running anything. */
  readonly desk: {
    /** @throws SallyportError TARGET_UNREACHABLE, TARGET_ISSUER_FAILED */
    simulate(
      principal: Principal,
      target: Target,
      sql: string,
      around: Omit<AccessContext, 'sessionId' | 'usage'>,
    ): Promise<Simulation>
    policiesNamed(ids: readonly string[]): readonly ShownPolicy[]
    /** @throws ResourcesInvalid */
    lint(files: readonly ResourceFile[]): Promise<{
      readonly findings: readonly LintFinding[]
      /** Targets with whose catalogs names were compared. */
      readonly catalogs: readonly string[]
    }>
  }
  readonly health: Readonly<Record<'store' | 'journal' | 'policy', () => Promise<void> | void>>
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
  /**
   * Opens a session of this principal on an in-process stream, as if it had come in over the network. `signal`: nobody
   * waits for it any more. Destroying the stream ends the session.
   * @throws SallyportError
   */
  openSession(request: SessionRequest, signal: AbortSignal): Promise<InProcessSession>
}

export interface ControlSettings {
  /** Where browsers, agents and the CLI reach this API. */
  readonly publicUrl: string
  /** Where PostgreSQL clients reach the gateway, and the `sslmode` (libpq) that suits its certificate. */
  readonly postgres: { readonly host: string; readonly port: number; readonly sslmode: string }
  readonly tickets: { readonly defaultTtlSeconds: number; readonly maxTtlSeconds: number }
  /** Shown by MCP as the server's version. */
  readonly version: string
  /** How long one MCP query may take. Left out: 5 minutes. */
  readonly queryTimeoutMs?: number
  /** How long an MCP call waits for people before it says that it goes on without them. Left out: 45 s. */
  readonly approvalHoldMs?: number
  /** How often a waiting MCP call reports progress. Left out: 15 s. */
  readonly progressMs?: number
}

/** What pino is used as here. */
export interface ControlLog {
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

export type ReadableRelation = Pick<Relation, 'schema' | 'name' | 'kind' | 'columns'>

export interface SessionRequest {
  readonly principal: Principal
  readonly target: Target
  readonly via: 'mcp'
  readonly sourceIp: string
  /** What will be run on it, and nothing else. */
  readonly statement: string
  readonly purpose?: string
  /** What the client calls itself. A claim, like the next two. */
  readonly clientName?: string
  /** The agent framework's own session. */
  readonly clientSession?: string
  /** The model's tool call (`toolu_…`). */
  readonly toolUseId?: string
  /** How long its statements wait for people. Their requests outlive the session. */
  readonly approvalHoldMs: number
  /** Told which request a statement waits for. */
  readonly onApproval: (id: string) => void
}

/** The client's end of a session's stream, and what to log in with on it. */
export interface InProcessSession {
  readonly stream: Duplex
  readonly user: string
  readonly database: string
  readonly password: Secret
  /** The recorded session's id. Undefined until it is known: at the latest when the login has succeeded. */
  sessionId(): string | undefined
  /** What was masked in the results so far. */
  masked(): readonly MaskedColumn[]
}
