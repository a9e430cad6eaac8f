import { catalogOf, columnOf, tableOf } from '../access/catalog.fixture.ts'
import type { Principal, Target } from '../access/model.ts'
import { AuthenticationFailed } from '../access/errors.ts'
import { Secret } from '../access/secret.ts'
import { Approvals } from '../approvals/approvals.ts'
import { MemoryApprovalStore } from '../approvals/memory-approval-store.fixture.ts'
import { MemoryReviewStore } from '../approvals/reviews/memory-review-store.fixture.ts'
import { Reviews } from '../approvals/reviews/reviews.ts'
import { RecentEvents } from '../approvals/recent-events.ts'
import type { AuditEvent } from '../audit/ports.ts'
import type { LeaseRow } from '../credentials/ports.ts'
import type { TicketRow } from '../identity/ports.ts'
import type { ResourceFile, ResourceSet } from '../policy/ports.ts'
import { SallyportError } from '../access/errors.ts'
import { NO_FLOW } from '../access/data-flow.ts'
import { DecisionPoint } from '../policy/decision-point.ts'
import { readResources } from '../policy/resources.ts'
import { PolicyDesk } from '../session/policy-desk.ts'
import type { EventRow, SessionRow } from '../recording/ports.ts'
import type { ControlServices } from './services.ts'

export function person(id: string, kind: Principal['kind'] = 'user', actingFor?: Principal): Principal {
  const acting = actingFor === undefined ? {} : { actingFor }
  return { kind, id, issuer: 'https://idp.test', subject: id, groups: [], attributes: {}, ...acting }
}

export const ana = person('ana')
export const omar = person('omar')
/** An administrator. */
export const dora = person('dora')
export const insightAgent = person('insight-agent', 'agent', ana)
/** Who may approve. */
export const bo: Principal = { ...person('bo'), groups: ['dba'] }
/** A service that is in the same group. */
export const cron: Principal = { ...person('cron', 'service'), groups: ['dba'] }
/** The same agent at somebody else's work. */
export const insightAgentForOmar = person('insight-agent', 'agent', omar)

export function target(name: string): Target {
  return {
    name,
    protocol: 'postgres',
    address: { host: '127.0.0.1', port: 5432 },
    database: 'shop',
    tls: { mode: 'disable' },
    tags: { env: 'test' },
    recording: 'written',
    credentials: {
      issuer: 'postgres-role',
      username: 'issuer',
      password: new Secret('issuer password'),
      ttlSeconds: 900,
      prewarm: 0,
    },
  }
}

export function sessionRow(id: string, principal: Principal, changed: Partial<SessionRow> = {}): SessionRow {
  return {
    id,
    principal,
    target: 'shop',
    via: 'postgres',
    purpose: undefined,
    clientName: 'psql',
    clientSession: undefined,
    toolUseId: undefined,
    sourceIp: '127.0.0.1',
    leaseId: 'lea_1',
    handle: 'sp_0_l_1',
    startedAt: new Date('2026-01-01T00:00:00Z'),
    endedAt: undefined,
    endReason: undefined,
    statements: 1,
    denied: 0,
    rows: 2,
    bytes: 3,
    ...changed,
  }
}

export interface TestWorld {
  readonly services: ControlServices
  readonly approvals: Approvals
  readonly reviewStore: MemoryReviewStore
  readonly audited: AuditEvent[]
  readonly logged: string[]
  readonly killed: [id: string, reason: string][]
  readonly revoked: string[]
  readonly sessions: SessionRow[]
  readonly events: EventRow[]
  readonly leases: LeaseRow[]
  readonly tickets: Map<string, TicketRow>
  applied: ResourceSet | undefined
}

const TOKENS: ReadonlyMap<string, Principal> = new Map(
  [ana, omar, dora, insightAgent, bo, cron].map((principal) => [`token-${principal.id}`, principal]),
)

/** Services that keep everything in memory: `shop` is open to all but omar, `vault` to nobody, administration to dora. */
export function testWorld(replaced: Partial<ControlServices> = {}): TestWorld {
  const targets = [target('shop'), target('vault')]
  const log = (_: object, message: string): void => void world.logged.push(message)
  const approvals = new Approvals({
    store: new MemoryApprovalStore(),
    audit: (event) => void world.audited.push(event),
    log: { warn: log, error: log },
    metrics: { requested: () => undefined, settled: () => undefined },
    limits: { waiting: 100, waitingPerPrincipal: 50 },
    now: Date.now,
  })
  const reviewStore = new MemoryReviewStore()
  const reviews = new Reviews({
    store: reviewStore,
    audit: (event) => void world.audited.push(event),
    now: Date.now,
    onClosed: () => undefined,
  })
  const services: ControlServices = {
    settings: {
      publicUrl: 'https://gateway.test',
      postgres: { host: '127.0.0.1', port: 7432, sslmode: 'prefer' },
      tickets: { defaultTtlSeconds: 600, maxTtlSeconds: 3600 },
      version: '0.0.0',
    },
    log: { warn: log, error: log },
    audit: (event) => void world.audited.push(event),
    identity: {
      bearer: async (token) => {
        if (token.reveal() === 'expired') {
          throw new AuthenticationFailed('AUTH_TOKEN_EXPIRED', 'the token has "expired"', {
            hint: 'log in again',
          })
        }
        const principal = TOKENS.get(token.reveal())
        if (principal === undefined)
          throw new AuthenticationFailed('AUTH_TOKEN_INVALID', 'the token is not valid')
        return principal
      },
    },
    tickets: {
      issue: async (principal, { ttlSeconds, ...request }) => {
        const expiresAt = new Date(Date.UTC(2026, 0, 1) + ttlSeconds * 1000)
        const row = {
          id: 'tkt_1',
          principal,
          purpose: undefined,
          clientSession: undefined,
          ...request,
          createdAt: new Date(0),
          expiresAt,
          revokedAt: undefined,
        }
        world.tickets.set(row.id, row)
        return { id: row.id, ticket: new Secret('spt_secret'), expiresAt }
      },
      get: async (id) => world.tickets.get(id),
      revoke: async (id) => world.tickets.delete(id),
    },
    targets: {
      list: () => targets,
      get: (name) => targets.find((one) => one.name === name),
      describe: async () => [
        tableOf('customers', [], {
          columns: [columnOf('id', 1, { type: 'integer', nullable: false })],
        }),
      ],
    },
    policy: {
      decideAdmin: (principal, action) =>
        principal.id === 'dora'
          ? { effect: 'permit', policies: ['dba'], obligations: [] }
          : { effect: 'deny', policies: [], reason: `${action} is not permitted`, hint: 'ask a dba' },
      decideConnect: (principal, { name }) =>
        name === 'shop' && principal.id !== 'omar'
          ? { effect: 'permit', policies: ['open'], obligations: [] }
          : { effect: 'deny', policies: ['closed'], reason: `connect to ${name} is not permitted` },
    },
    desk: new PolicyDesk({
      point: new DecisionPoint(
        readResources(
          [
            {
              path: 'p.cedar',
              text: '@id("reads") permit (principal == User::"ana", action == Action::"select", resource);',
            },
          ],
          () => new Secret('x'),
        ),
      ),
      // Every statement is one that reads this table.
      read: async () => ({
        operations: [{ action: 'select', resource: { type: 'Table', schema: 'public', table: 'customers' } }],
        facts: {
          hasWhere: true,
          whereIsTrivial: false,
          functions: ['now'],
          multi: false,
          locksRows: false,
          readOnly: true,
          reading: 'complete',
        },
        dependsOn: 'shape',
        needs: [],
        calls: [{ name: 'now', volatility: 'stable', harmless: true }],
        flow: NO_FLOW,
      }),
      catalogOf: async () => catalogOf([tableOf('customers', ['id'])]),
    }),
    sessions: {
      list: async (filter) =>
        world.sessions
          .filter(({ principal }) => filter.principal === undefined || principal.id === filter.principal)
          .filter(({ endedAt }) => filter.live === undefined || filter.live === (endedAt === undefined))
          .slice(0, filter.limit),
      get: async (id) => world.sessions.find((row) => row.id === id),
      events: async (_, { from, limit }) => world.events.filter(({ n }) => n >= from).slice(0, limit),
      kill: (id, reason) => {
        if (world.sessions.find((row) => row.id === id)?.endedAt !== undefined) return false
        world.killed.push([id, reason])
        return true
      },
    },
    leases: {
      get: async (id) => world.leases.find((row) => row.id === id),
      list: async () => world.leases,
      revoke: async (id) => void world.revoked.push(id),
    },
    approvals: {
      get: (id) => approvals.get(id),
      list: (filter) => approvals.list(filter),
      decide: (id, by, word) => approvals.decide(id, by, word),
      revoke: (id, by, reason) => approvals.revoke(id, by, reason),
      similar: (approval) => approvals.similar(approval),
      settled: (id, signal) => approvals.settled(id, signal),
      events: new RecentEvents(approvals.feed),
    },
    reviews,
    resources: {
      current: async () => world.applied,
      apply: async (files: readonly ResourceFile[], expected: number) => {
        if (expected !== (world.applied?.version ?? 0)) {
          throw new SallyportError('RESOURCE_CONFLICT', 'the resources have changed')
        }
        world.applied = { version: expected + 1, files }
        return world.applied
      },
    },
    health: { store: () => undefined, journal: () => undefined, policy: () => undefined },
    metrics: { contentType: 'text/plain; version=0.0.4', text: async () => 'sallyport_build_info 1\n' },
    openSession: async () => {
      throw new SallyportError('TARGET_UNREACHABLE', 'no target here')
    },
    ...replaced,
  }
  const world: TestWorld = {
    services,
    approvals,
    reviewStore,
    audited: [],
    logged: [],
    killed: [],
    revoked: [],
    sessions: [],
    events: [],
    leases: [],
    tickets: new Map(),
    applied: undefined,
  }
  return world
}
