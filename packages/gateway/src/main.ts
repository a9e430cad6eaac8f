import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { createSecureContext } from 'node:tls'
import { pino } from 'pino'
import { SallyportError } from './access/errors.ts'
import type { MaskedColumn } from './access/masking.ts'
import type { Catalog } from './access/catalog.ts'
import { NO_USAGE, type Target } from './access/model.ts'
import { Secret } from './access/secret.ts'
import { Approvals } from './approvals/approvals.ts'
import { RecentEvents } from './approvals/recent-events.ts'
import { Reviews } from './approvals/reviews/reviews.ts'
import { KnownPeople } from './approvals/slack/known-people.ts'
import type { SlackAlarms } from './approvals/slack/slack-alarms.ts'
import { approvalPayload, reviewPayload } from './approvals/webhooks/event-payload.ts'
import { Webhooks } from './approvals/webhooks/webhooks.ts'
import type { Audit } from './audit/ports.ts'
import { auditLog } from './audit/audit-log.ts'
import type { Config, ListenAddress } from './config/config.ts'
import { deriveKey, masterKey } from './config/master-key.ts'
import { readResourceFiles } from './config/read-resource-files.ts'
import { secretResolver } from './config/resolve-secret.ts'
import { serverCertificate } from './config/server-certificate.ts'
import { createControl } from './control/create-control.ts'
import type { ControlServices } from './control/services.ts'
import { Leases } from './credentials/leases.ts'
import { Sweeper } from './credentials/sweeper.ts'
import { forgetEndedTickets } from './identity/forget-ended-tickets.ts'
import { Identity } from './identity/identity.ts'
import { DetectionMasks } from './masking/detection-mask.ts'
import { capabilityFor } from './policy/capability-for.ts'
import { ofTheMoment } from './policy/circumstances.ts'
import type { CaseResult } from './policy/policy-tests-failed.ts'
import { type LintFinding, lintResources } from './policy/lint-resources.ts'
import { DecisionPoint } from './policy/decision-point.ts'
import { NO_RESOURCES, readResources } from './policy/resources.ts'
import { usualNames } from './protocols/sql/search-path.ts'
import { PostgresRoleIssuer } from './protocols/postgres/credentials.ts'
import { PostgresAdapter } from './protocols/postgres/index.ts'
import type { CredentialIssuer } from './protocols/contract.ts'
import { StatementReader } from './protocols/postgres/parser.ts'
import { Recordings } from './recording/recordings.ts'
import { Acceptor } from './session/accept.ts'
import { Catalogs } from './session/catalogs.ts'
import { Verdicts } from './session/guard.ts'
import { FollowedSessions } from './session/followed-sessions.ts'
import { ImpactPreviews } from './session/impact-previews.ts'
import { LiveSessions } from './session/live-sessions.ts'
import { PolicyDesk } from './session/policy-desk.ts'
import { type ReadSql, runPolicyTests } from './session/run-policy-tests.ts'
import { OperationScopes } from './session/operation-scope.ts'
import { ResourcesInForce } from './session/resources-in-force.ts'
import { UsageBook } from './session/recent-usage.ts'
import { MaskShelf } from './session/statement-masks.ts'
import { isSamePlace, TargetIssuers } from './session/target-issuers.ts'
import { StoredAlarmMessages } from './store/alarm-messages.ts'
import { StoredApprovals } from './store/approvals.ts'
import { StoredPeople } from './store/people.ts'
import { StoredReviews } from './store/reviews.ts'
import { StoredSlackMessages } from './store/slack-messages.ts'
import { JournalIngest } from './store/ingest.ts'
import { FileJournal } from './store/journal.ts'
import { StoredLeases } from './store/leases.ts'
import { openConfiguredStore } from './store/open.ts'
import { StoredResources } from './store/resources.ts'
import { StoredSessions } from './store/sessions.ts'
import { StoredTickets } from './store/tickets.ts'
import { Metrics } from './telemetry/metrics.ts'
import { VERSION } from './version.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Where the gateway's own lines go; a pino logger is one. */
export interface GatewayLog {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

export interface Gateway extends AsyncDisposable {
  readonly addresses: { readonly http: ListenAddress; readonly postgres: ListenAddress }
  /** Settles, with the reason, when the gateway had to stop by itself; otherwise never. */
  readonly failed: Promise<SallyportError>
  /** Ends all sessions, removes their credentials, stops. */
  close(): Promise<void>
}

/**
 * Puts everything together and starts it: store, identity, policy, credentials, the listeners. What was started is stopped
 * again, in reverse, when a later part cannot start.
 * @throws SallyportError CONFIG_INVALID, RESOURCE_INVALID, STORE_UNAVAILABLE, RECORDING_FAILED
 */
export async function startGateway(options: {
  readonly config: Config
  /** For the secrets that resources refer to. */
  readonly env: Environment
  /** Left out: JSON lines on standard error. */
  readonly log?: GatewayLog
}): Promise<Gateway> {
  const { config, env } = options
  const log = options.log ?? pino({ level: config.log.level }, pino.destination(2))
  await using starting = new AsyncDisposableStack()
  await mkdir(config.dataDir, { recursive: true })

  const [master, certificate] = await Promise.all([masterKey(config), serverCertificate(config)])
  const store = starting.use(
    await openConfiguredStore({ database: config.database, dataDir: config.dataDir, log }),
  )
  const journal = new FileJournal({ dir: join(config.dataDir, 'journal') })
  starting.defer(() => journal.close())
  const ingest = new JournalIngest({ store, journal, log })
  await ingest.start()
  starting.defer(() => ingest.stop())
  const record = auditLog(journal)
  const webhooks = starting.use(
    new Webhooks({
      endpoints: config.webhooks.endpoints,
      allowAddresses: config.webhooks.allowAddresses,
      audit: record,
      log,
    }),
  )
  let slackAlarms: SlackAlarms | undefined
  const audit: Audit = (event) => {
    record(event)
    if (event.type !== 'access.alarm') return
    const { principal, target, sessionId, detail, alarm } = event
    const to = (alarm?.rules ?? []).map(({ review }) => `${config.publicUrl}/api/v1/reviews/${review}`)
    const data = { principal, target, session: sessionId, ...detail, reviews: to }
    webhooks.send({ type: 'alarm.break_glass', at: new Date(), data })
    slackAlarms?.wake()
  }
  const metrics = new Metrics(
    VERSION,
    { active: () => leases.active, left: () => sweeper.left },
    { waiting: () => approvals.waiting },
    { open: () => reviews.open() },
  )

  const tickets = new StoredTickets(store)
  starting.use(forgetEndedTickets(tickets, log))
  const identity = new Identity({
    issuers: config.issuers,
    tickets,
    ticketKey: deriveKey(master, 'tickets'),
  })
  const point = starting.use(new DecisionPoint(NO_RESOURCES))
  const live = new LiveSessions()
  const usage = new UsageBook()
  identity.tickets.onRevoked((ticketId) => live.ticketRevoked(ticketId))

  const reader = starting.use(new StatementReader())
  const issuers = starting.use(new TargetIssuers((target) => new PostgresRoleIssuer(target, log)))
  const adapter = new PostgresAdapter({
    tls: createSecureContext({ cert: certificate.cert, key: certificate.key.reveal() }),
    reader,
    issuerFor: (target) => issuers.for(target),
  })
  const catalogs = new Catalogs(
    // A session may hold a definition from before the last `apply`: the account is the one that is in force.
    (target, signal) => issuers.for(point.resources.targets.get(target.name) ?? target).catalog(signal),
    (target) => {
      leases.discardWarm(target)
      followed.catalogChanged(target)
    },
  )
  starting.use(catalogs)
  const followed = starting.use(new FollowedSessions(() => ofTheMoment(point.contextUse())))
  const leaseStore = new StoredLeases(store)
  const issuerNamed = (name: string): CredentialIssuer | undefined => {
    const target = point.resources.targets.get(name)
    return target && adapter.issuerFor(target)
  }
  const leases = starting.use(
    new Leases({
      owner: store.installationId,
      store: leaseStore,
      issuers: issuerNamed,
      formerIssuer: (made) => {
        const current = point.resources.targets.get(made.name)
        return current !== undefined && isSamePlace(current, made)
          ? undefined
          : new PostgresRoleIssuer(made, log)
      },
      connect: (target, credential, signal) =>
        adapter.connect(target, credential, signal, catalogs.current(target)?.catalog.searchPath),
      audit,
      log,
      metrics,
      now: Date.now,
    }),
  )
  const readSql = readerOf(reader)
  const catalogIfReachable = (target: Target): Promise<Catalog | undefined> => {
    const known = point.resources.targets.get(target.name)
    return known === undefined ? Promise.resolve(undefined) : catalogs.of(known).catch(() => undefined)
  }
  const resources = new ResourcesInForce({
    store: new StoredResources(store),
    point,
    catalogs,
    live,
    audit,
    resolve: secretResolver(config.resources ?? config.dataDir, env),
    test: (read) => runPolicyTests(read, readSql, catalogIfReachable),
    onChange: () => {
      leases.discardWarm()
      followed.policiesChanged()
    },
  })
  await resources.load(config.resources === undefined ? undefined : await readResourceFiles(config.resources))
  const sweeper = starting.use(
    new Sweeper({
      owner: store.installationId,
      store: leaseStore,
      targets: () => [...point.resources.targets.keys()],
      issuers: issuerNamed,
      live: leases,
      audit,
      log,
      metrics,
      now: Date.now,
    }),
  )
  // What an earlier run left is removed while the first clients already connect: their roles have names of their own.
  void sweeper.start()

  const approvals = starting.use(
    new Approvals({
      store: new StoredApprovals(store),
      audit,
      log,
      metrics,
      limits: {
        waiting: config.approvals.maxWaiting,
        waitingPerPrincipal: config.approvals.maxWaitingPerPrincipal,
      },
      now: Date.now,
    }),
  )
  const reviews = new Reviews({
    store: new StoredReviews(store, ingest),
    audit,
    now: Date.now,
    onClosed: (review) => {
      webhooks.send(reviewPayload(review, config.publicUrl, new Date()))
      slackAlarms?.wake()
    },
  })
  const approvalEvents = starting.use(new RecentEvents(approvals.feed))
  starting.use(
    approvals.feed.subscribe((event) => {
      const payload = approvalPayload(event, config.publicUrl, new Date())
      if (payload !== undefined) webhooks.send(payload)
    }),
  )
  await approvals.start()
  const people = new StoredPeople(store)
  const known = new KnownPeople({ store: people, log, now: Date.now })
  if (config.slack !== undefined) {
    // Loaded only where it is used: it is larger than all the rest of the gateway.
    const { SlackApprovals } = await import('./approvals/slack/slack-approvals.ts')
    const slack = await import('./approvals/slack/slack-alarms.ts')
    const { botToken, apiUrl, channels, defaultChannel } = config.slack
    const messages = new StoredAlarmMessages(store, ingest)
    slackAlarms = starting.use(
      new slack.SlackAlarms({ botToken, apiUrl, channels, defaultChannel, messages, log }),
    )
    starting.use(
      new SlackApprovals({
        settings: config.slack,
        publicUrl: config.publicUrl,
        approvals,
        people,
        messages: new StoredSlackMessages(store),
        log,
        now: Date.now,
      }),
    )
  }

  const recordings = new Recordings({ journal, log })
  const previews = starting.use(new ImpactPreviews({ adapter, approvals, catalogs, leases, recordings, log }))
  const acceptor = new Acceptor({
    adapter,
    services: {
      identity,
      point,
      catalogs,
      verdicts: new Verdicts(),
      recordings,
      leases,
      approvals,
      previews,
      approvalUrl: (id) => `${config.publicUrl}/approvals/${id}`,
      live,
      usage,
      masks: {
        shelf: new MaskShelf((purpose) => deriveKey(master, `mask ${purpose}`)),
        detector: new DetectionMasks(),
      },
      followed,
      scopes: new OperationScopes(),
      audit,
      metrics,
      handshakeMs: config.limits.handshakeMs,
    },
    log,
    maxConnections: config.limits.connections,
  })
  starting.use(acceptor)
  const postgres = await acceptor.listen(config.listen.postgres)

  const sessions = new StoredSessions(store, ingest)
  const services: ControlServices = {
    settings: {
      publicUrl: config.publicUrl,
      postgres: {
        host: hostOf(config, postgres),
        port: postgres.port,
        sslmode: config.tls === undefined ? 'prefer' : 'require',
      },
      tickets: config.tickets,
      version: VERSION,
      approvalHoldMs: config.approvals.holdMs,
    },
    log,
    audit,
    identity: {
      bearer: async (token) => {
        const principal = await identity.bearer(token)
        known.see(principal)
        return principal
      },
    },
    tickets: {
      issue: (who, request) => identity.tickets.issue(who, request),
      get: (id) => tickets.get(id),
      revoke: (id) => identity.tickets.revoke(id),
    },
    targets: {
      list: () => [...point.resources.targets.values()],
      get: (name) => point.resources.targets.get(name),
      describe: async (principal, target) => {
        const catalog = await catalogs.of(target)
        const now = Date.now()
        const context = { sessionId: '', sourceIp: '', via: 'mcp' as const, now, usage: NO_USAGE }
        const { grants } = capabilityFor(point, principal, target, catalog, context)
        const readable = new Set(
          grants.filter((g) => g.verb === 'select').map((g) => `${g.schema}\0${g.table}`),
        )
        return catalog.relations.filter((relation) => readable.has(`${relation.schema}\0${relation.name}`))
      },
    },
    policy: {
      decideAdmin: (principal, action, context) => point.decideAdmin(principal, action, context),
      decideConnect: (principal, target, context) =>
        point.decide({
          principal,
          target,
          operation: { action: 'connect', resource: { type: 'Target' } },
          context: { sessionId: '', usage: usage.of(principal, target.name).recent(Date.now()), ...context },
        }),
    },
    sessions: {
      list: (filter) => sessions.list(filter),
      get: (id) => sessions.get(id),
      events: (id, range) => sessions.events(id, range),
      kill: (id, reason) => live.kill(id, reason),
    },
    leases: {
      get: (id) => leaseStore.get(id),
      list: (filter) => leaseStore.list(filter),
      revoke: (id) => leases.revoke(id),
    },
    approvals: {
      get: (id) => approvals.get(id),
      list: (filter) => approvals.list(filter),
      decide: (id, by, word) => approvals.decide(id, by, word),
      revoke: (id, by, reason) => approvals.revoke(id, by, reason),
      similar: (approval) => approvals.similar(approval),
      settled: (id, signal) => approvals.settled(id, signal),
      events: approvalEvents,
    },
    reviews,
    resources,
    desk: new PolicyDesk({ point, read: readSql, catalogOf: (target) => catalogs.of(target) }),
    health: {
      store: async () => void (await store.quick.query('ping', 'SELECT 1', [])),
      journal: () => journal.check(),
      policy: () => undefined,
    },
    metrics,
    openSession: async (request) => {
      const [ours, theirs] = duplexPair()
      const ticket = await identity.tickets.issue(request.principal, {
        target: request.target.name,
        ttlSeconds: MCP_TICKET_SECONDS + Math.ceil(request.approvalHoldMs / 1000),
        ...(request.purpose === undefined ? {} : { purpose: request.purpose }),
        ...(request.clientSession === undefined ? {} : { clientSession: request.clientSession }),
      })
      let sessionId: string | undefined
      const masked: MaskedColumn[] = []
      acceptor.take(theirs, {
        via: request.via,
        sourceIp: request.sourceIp,
        ...(request.toolUseId === undefined ? {} : { toolUseId: request.toolUseId }),
        statement: request.statement,
        approvals: { ms: request.approvalHoldMs, keeps: true },
        onApproval: request.onApproval,
        onSession: (id) => {
          sessionId = id
        },
        onMasked: (columns) => masked.push(...columns),
      })
      return {
        stream: ours,
        user: request.principal.id,
        database: request.target.name,
        password: ticket.ticket,
        sessionId: () => sessionId,
        masked: () => masked,
      }
    },
  }
  const control = createControl(services)
  starting.defer(() => control.close())
  // Every connection costs a file descriptor, and without one nobody gets in by any protocol.
  control.server.maxConnections = config.limits.connections
  await control
    .listen({ host: config.listen.http.host, port: config.listen.http.port })
    .catch((cause: Error) => {
      const { host, port } = config.listen.http
      throw new SallyportError('CONFIG_INVALID', `cannot listen on ${host}:${port}: ${cause.message}`, {
        hint: 'stop what uses it, or change `listen` in sallyport.yaml',
        cause,
      })
    })
  const bound = control.server.address() as AddressInfo
  audit({ type: 'gateway.start', detail: { version: VERSION } })

  const failed = new Promise<SallyportError>((resolve) => {
    store.evicted.addEventListener('abort', () => resolve(SallyportError.from(store.evicted.reason)))
  })
  const running = starting.move()
  running.defer(() => {
    audit({ type: 'gateway.stop' })
  })
  const close = (): Promise<void> => running.disposeAsync()
  return {
    addresses: { http: { host: bound.address, port: bound.port }, postgres },
    failed,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Reads statements as a session does that has set nothing. */
function readerOf(reader: StatementReader): ReadSql {
  return (text, catalog) =>
    reader.read({ text, catalog, names: usualNames(catalog.searchPath), session: 'policy' })
}

/**
 * Runs the cases beside policies without a gateway. Those without a `catalog` fail: nobody knows the target here.
 * @throws ResourcesInvalid
 */
export async function testResources(
  files: readonly { readonly path: string; readonly text: string }[],
): Promise<readonly CaseResult[]> {
  const resources = readResources(files, () => new Secret(''))
  await using reader = new StatementReader({ threads: 1 })
  return await runPolicyTests(resources, readerOf(reader), () => Promise.resolve(undefined))
}

/**
 * Looks over resources without a gateway, so that names are not compared with what targets have.
 * @throws ResourcesInvalid
 */
export function lintFiles(
  files: readonly { readonly path: string; readonly text: string }[],
): readonly LintFinding[] {
  return lintResources(
    readResources(files, () => new Secret('')),
    new Map(),
  )
}

/** One query through MCP takes five minutes at most, people's time left out; what logs in for it is worth nothing after. */
const MCP_TICKET_SECONDS = 6 * 60

/**
 * Proves, step by step, that every target's account can do its work.
 * @returns a list per target, in the order of the checks
 */
export async function checkTargets(
  config: Config,
  env: Environment,
): Promise<
  readonly { name: string; steps: readonly { step: string; ok: boolean; detail: string; mend?: string }[] }[]
> {
  if (config.resources === undefined || !existsSync(config.resources)) return []
  const files = await readResourceFiles(config.resources)
  const { targets } = readResources(files, secretResolver(config.resources, env))
  return await Promise.all(
    [...targets.values()].map(async (target) => {
      await using issuer = new PostgresRoleIssuer(target)
      return { name: target.name, steps: await issuer.check(AbortSignal.timeout(15_000)) }
    }),
  )
}

/** Where clients reach the listener: by the public name where there is one, for a wildcard address is none. */
function hostOf(config: Config, bound: ListenAddress): string {
  const wildcard = bound.host === '0.0.0.0' || bound.host === '::'
  return wildcard ? new URL(config.publicUrl).hostname : bound.host
}
