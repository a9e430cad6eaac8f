import type { Duplex } from 'node:stream'
import { raisedAlarm } from '../access/alarm.ts'
import type { Capability } from '../access/capability.ts'
import type { Catalog } from '../access/catalog.ts'
import { AccessDenied, AuthenticationFailed, SallyportError } from '../access/errors.ts'
import { inTime } from '../access/in-time.ts'
import type { MaskedColumn } from '../access/masking.ts'
import type { GrantedApproval } from '../access/approval.ts'
import type { AccessContext, Decision, Operation, Principal, Target } from '../access/model.ts'
import { Permit } from '../access/permit.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { Reported } from '../approvals/ports.ts'
import type { Audit } from '../audit/ports.ts'
import type { Leases } from '../credentials/leases.ts'
import type { Identity } from '../identity/identity.ts'
import { capabilityFor } from '../policy/capability-for.ts'
import type { DecisionPoint } from '../policy/decision-point.ts'
import type { ProtocolAdapter } from '../protocols/contract.ts'
import type { Recordings } from '../recording/recordings.ts'
import type { SessionRecording } from '../recording/session-recording.ts'
import type { Catalogs } from './catalogs.ts'
import { type ApprovedConnection, approvedConnection } from './connection-approval.ts'
import { CountedRecorder } from './counted-recorder.ts'
import { type GuardMasks, SessionGuard, type Verdicts } from './guard.ts'
import { newSessionId } from './ids.ts'
import type { ImpactPreviews } from './impact-previews.ts'
import type { LiveSession, LiveSessions } from './live-sessions.ts'
import type { FollowedSessions } from './followed-sessions.ts'
import type { OperationScopes } from './operation-scope.ts'
import type { SessionMetrics } from './ports.ts'
import { privilegesFor } from './privileges-for.ts'
import type { UsageBook } from './recent-usage.ts'
import type { ApprovalWait } from './session-approvals.ts'

export interface SessionServices {
  readonly identity: Identity
  readonly point: DecisionPoint
  readonly catalogs: Catalogs
  readonly verdicts: Verdicts
  readonly recordings: Recordings
  readonly leases: Leases
  readonly approvals: Approvals
  readonly previews: Pick<ImpactPreviews, 'begin'>
  readonly live: LiveSessions
  readonly usage: UsageBook
  readonly masks: GuardMasks
  readonly followed: FollowedSessions
  readonly scopes: OperationScopes
  readonly audit: Audit
  readonly metrics: SessionMetrics
  /** Where people decide about a request. */
  readonly approvalUrl: (id: string) => string
  /** From the first byte to being admitted or refused, in milliseconds. */
  readonly handshakeMs: number
}

/** Where a connection came from, and what came with it outside its protocol. */
export interface SessionOrigin {
  readonly via: AccessContext['via']
  readonly sourceIp: string
  readonly purpose?: string
  readonly clientSession?: string
  /** The model's tool call that it is for (`toolu_…`), as its client reported it. */
  readonly toolUseId?: string
  /**
   * The only statement that it will run: its credential can do what that needs, and nothing else. Should it run another one,
   * the target refuses.
   */
  readonly statement?: string
  /** How long its statements wait for people, and whether their requests outlive it. Left out: as the target says. */
  readonly approvals?: ApprovalWait
  /** Told which request a statement waits for. */
  readonly onApproval?: (id: string) => void
  /** Told the session's id as soon as it has one. */
  readonly onSession?: (sessionId: string) => void
  /** Told what was masked in each result, before the client has all of it. */
  readonly onMasked?: (masked: readonly MaskedColumn[]) => void
}

/** Longer than people need who have been told, shorter than a transaction should be open for. */
const WAIT_SECONDS = 10 * 60

const CONNECT: Operation = { action: 'connect', resource: { type: 'Target' } }

/**
 * The whole life of a session, in the order in which it happens. Leaving by any exit undoes it in reverse: hang up,
 * revoke, seal.
 * @throws SallyportError why there was no session, or why it was ended; the client has been told
 */
export async function serve(
  client: Duplex,
  adapter: ProtocolAdapter,
  origin: SessionOrigin,
  services: SessionServices,
  stop: AbortSignal,
): Promise<void> {
  const admission = within(services.handshakeMs, stop)
  const refused = (thrown: unknown): SallyportError => {
    const error = SallyportError.from(thrown)
    services.metrics.refused(error.code)
    return error
  }
  const greeting = await adapter.greet(client, admission).catch((thrown: unknown) => {
    throw refused(thrown)
  })
  if (greeting === undefined) return
  let admitted = false
  const known: { principal?: Principal; sessionId?: string } = {}
  try {
    const proven = await inTime(
      services.identity.authenticate(greeting.proof, greeting.targetName),
      admission,
    )
    const { principal } = proven
    known.principal = principal
    const target = targetNamed(services.point, greeting.targetName)

    const id = newSessionId(Date.now())
    known.sessionId = id
    origin.onSession?.(id)
    const purpose = proven.purpose ?? origin.purpose
    const context = {
      sessionId: id,
      sourceIp: origin.sourceIp,
      via: origin.via,
      ...(purpose === undefined ? {} : { purpose }),
    }
    const usage = services.usage.of(principal, target.name)
    const moment = Date.now()
    const now = { ...context, now: moment, usage: usage.recent(moment) }
    const tally = services.metrics.decisions(target)
    const began = performance.now()
    const clientSession = proven.clientSession ?? origin.clientSession
    const reported = reportedBy(origin, clientSession, purpose, greeting.clientName)
    const connect = (approval?: GrantedApproval): Decision =>
      services.point.decide({
        principal,
        target,
        operation: CONNECT,
        context: approval === undefined ? now : { ...now, approval },
      })
    let decision = connect()
    let approved: ApprovedConnection | undefined
    if (decision.effect === 'deny' && decision.approval !== undefined) {
      const policyVersion = services.point.version
      const asked = { principal, target, context, policyVersion, need: decision.approval, reported }
      const { approvals, approvalUrl } = services
      approved = await inTime(approvedConnection(asked, approvals, approvalUrl, origin.onApproval), admission)
      decision = connect(approved.approval)
    }
    services.metrics.decided((performance.now() - began) / 1000)
    tally[decision.effect]++
    const permit = Permit.from(decision, principal, target, adapter.discharges)
    const raise = (policies: readonly string[], operations: readonly string[], statement?: string): void => {
      services.metrics.alarmed(target)
      const said = purpose === undefined ? {} : { purpose }
      const detail = { policies, operations, ...said }
      const around = { principal, via: origin.via, sourceIp: origin.sourceIp, operations, ...said }
      services.audit({
        type: 'access.alarm',
        principal: principal.id,
        target: target.name,
        sessionId: id,
        detail,
        alarm: raisedAlarm(services.point.alarmsOf(policies), id, around, statement),
      })
    }
    if (decision.effect === 'permit' && decision.alarms !== undefined) raise(decision.alarms, ['connect'])

    using live = services.live.open({ id, principal, target, context, ticketId: proven.ticketId }, stop)
    if (proven.deadline !== undefined) live.endAt(proven.deadline)
    using _approval = endedWith(approved, live, services.approvals)
    const opening = AbortSignal.any([admission, live.signal])
    if (proven.confirm !== undefined) await inTime(proven.confirm(), opening)

    await using recording = services.recordings.open(
      {
        id,
        principal,
        target: target.name,
        via: origin.via,
        purpose,
        clientName: greeting.clientName,
        clientSession,
        toolUseId: origin.toolUseId,
        sourceIp: origin.sourceIp,
        leaseId: undefined,
        handle: undefined,
        startedAt: new Date(now.now),
      },
      target.recording === 'strict',
    )
    services.audit({ type: 'session.start', principal: principal.id, target: target.name, sessionId: id })
    await written(recording)

    try {
      const catalog = await inTime(services.catalogs.of(target), opening)
      // Nothing is made for a session that has been ended meanwhile.
      opening.throwIfAborted()
      const reading =
        origin.statement === undefined
          ? undefined
          : await inTime(adapter.read(origin.statement, target, catalog, id), opening)
      const catalogNow = (): Catalog => services.catalogs.current(target)?.catalog ?? catalog
      const capabilityNow = (): Capability => {
        const current = catalogNow()
        const around = { ...context, now: Date.now() }
        const { point, scopes } = services
        const permitted = capabilityFor(point, principal, target, current, around)
        if (reading === undefined) return permitted
        return scopes.scopeOf({ point, principal, target }, reading, permitted, around)
      }
      const issuedOn = catalogNow()
      await using lease = await services.leases.issue({
        permit,
        capability: capabilityNow(),
        forStatement: reading !== undefined,
        sessionId: id,
        signal: opening,
        ...(proven.deadline === undefined ? {} : { deadline: proven.deadline }),
      })
      recording.lease(lease.id, lease.handle)
      live.endAt(lease.expiresAt)
      lease.signal.addEventListener('abort', () => live.end(SallyportError.from(lease.signal.reason)))

      await using upstream = await lease.connect(opening)
      using _followed = services.followed.follow(
        { target: target.name, lease, capability: capabilityNow, end: (why) => live.end(why) },
        catalogNow() !== issuedOn,
      )
      const downstream = await greeting.admit(permit, upstream, id)
      admitted = true
      using _ = services.metrics.opened(target)
      const guard = new SessionGuard({
        principal,
        target,
        context,
        connection: approved?.approval,
        point: services.point,
        catalogs: services.catalogs,
        catalog,
        verdicts: services.verdicts,
        recorder: new CountedRecorder(recording, tally, usage, (masked) => {
          for (const { dataClass, values } of masked) services.metrics.masked(dataClass, values)
          origin.onMasked?.(masked)
        }),
        metrics: services.metrics,
        usage,
        masks: services.masks,
        onAlarm: ({ alarms = [] }, operations, text) => raise(alarms, operations, text),
        signal: live.signal,
        approvals: {
          approvals: services.approvals,
          reported,
          elevate: (reading) => lease.elevate(privilegesFor(reading, catalogNow())),
          wait: origin.approvals ?? { ms: (target.approvalWaitSeconds ?? WAIT_SECONDS) * 1000, keeps: false },
          urlOf: services.approvalUrl,
          onNew: (request, subject) => services.previews.begin({ id: request, subject, permit }),
          ...(origin.onApproval === undefined ? {} : { onPending: origin.onApproval }),
        },
      })
      recording.seal(await adapter.relay(downstream, upstream, guard))
    } catch (error) {
      recording.seal(endReason(SallyportError.from(error)))
      throw error
    } finally {
      services.audit({ type: 'session.end', principal: principal.id, target: target.name, sessionId: id })
    }
  } catch (thrown) {
    if (admitted) throw thrown
    const error = refused(thrown)
    try {
      refusal(services.audit, error, greeting.targetName, known)
    } finally {
      // Who is not let in because nothing can be recorded is told so all the same.
      await greeting.refuse(error)
    }
    throw error
  }
}

/** What the client said about itself and its work: shown to people as just that. */
function reportedBy(
  { toolUseId }: SessionOrigin,
  clientSession: string | undefined,
  purpose: string | undefined,
  clientName: string | undefined,
): Reported {
  return {
    ...(purpose === undefined ? {} : { purpose }),
    ...(clientName === undefined ? {} : { clientName }),
    ...(clientSession === undefined ? {} : { clientSession }),
    ...(toolUseId === undefined ? {} : { toolUseId }),
  }
}

/** A connection that people have approved ends when their word does: at its deadline, or when it is taken back. */
function endedWith(
  approved: ApprovedConnection | undefined,
  live: LiveSession,
  approvals: Pick<Approvals, 'feed'>,
): Disposable | undefined {
  if (approved === undefined) return undefined
  live.endAt(approved.until)
  return approvals.feed.subscribe(({ type, approval }) => {
    if (approval.id !== approved.approval.id || (type !== 'withdrawn' && type !== 'expired')) return
    const why = approval.closedBecause ?? type
    live.end(new SallyportError('SESSION_ENDED', `the approval of this connection has ended: ${why}`))
  })
}

/** Aborts after `ms`, or with `stop`. */
function within(ms: number, stop: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const late = new SallyportError('WIRE_TIMEOUT', `the connection was not set up within ${ms / 1000} s`)
  setTimeout(() => controller.abort(late), ms).unref()
  return AbortSignal.any([controller.signal, stop])
}

function targetNamed(point: DecisionPoint, name: string): Target {
  const target = point.resources.targets.get(name)
  if (target !== undefined) return target
  throw new SallyportError('TARGET_UNKNOWN', `there is no target "${name}"`, {
    hint: 'the database name is the name of a target; `list_targets` and GET /api/v1/targets say which there are',
  })
}

function written(recording: SessionRecording): Promise<void> {
  return new Promise((resolve, reject) => recording.written({ recorded: resolve, unrecorded: reject }))
}

/** How `sessions list` says it. */
function endReason(error: SallyportError): string {
  return error.code === 'SESSION_ENDED' ? error.message : error.code
}

function refusal(
  audit: Audit,
  error: SallyportError,
  target: string,
  known: { readonly principal?: Principal; readonly sessionId?: string },
): void {
  const type = error instanceof AuthenticationFailed ? 'authentication.failed' : 'access.denied'
  audit({
    type,
    target,
    ...(known.principal === undefined ? {} : { principal: known.principal.id }),
    ...(known.sessionId === undefined ? {} : { sessionId: known.sessionId }),
    detail: {
      code: error.code,
      message: error.message,
      ...(error instanceof AccessDenied ? { policies: error.policies } : {}),
    },
  })
}
