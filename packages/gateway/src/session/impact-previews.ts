import { SallyportError } from '../access/errors.ts'
import { inTime } from '../access/in-time.ts'
import type { Principal } from '../access/model.ts'
import type { Permit } from '../access/permit.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { Leases } from '../credentials/leases.ts'
import type { ApprovalSubject, ProtocolAdapter, StatementPreview, Verdict } from '../protocols/contract.ts'
import type { Recordings } from '../recording/recordings.ts'
import type { Catalogs } from './catalogs.ts'
import { newSessionId } from './ids.ts'
import { privilegesFor } from './privileges-for.ts'
import { effectsOf } from './statement-effects.ts'

/** At once, over all targets: whoever has a thousand statements waiting must not keep a target busy with their previews. */
const AT_ONCE = 2
/** More than people look at in the time that the last of them would take. */
const MAX_QUEUED = 200
/** Making a credential, two queries of two seconds, and taking it away. */
const TIME_MS = 15_000

/** The gateway itself: its own work is on record as that. */
const GATEWAY: Principal = {
  kind: 'service',
  id: 'sallyport',
  issuer: '',
  subject: 'sallyport',
  groups: [],
  attributes: {},
}

/** As the recording holds what the gateway decides to ask by itself. */
const OWN_WORK: Verdict = {
  permitted: true,
  policies: [],
  epoch: 0,
  reusable: false,
  json: '{"effect":"permit","policies":[],"operations":["impact preview"]}',
}

/** A statement that people are asked about. */
export interface Previewed {
  /** Of the request. */
  readonly id: string
  readonly subject: ApprovalSubject
  readonly permit: Permit
}

/**
 * Finds out what a statement would do, while people are asked about it: nobody waits for this, and where it fails the
 * request says so. It has a temporary credential of its own, with the privileges of this one statement, because EXPLAIN asks
 * for them as the statement does; the session that waits has none of them.
 */
export class ImpactPreviews implements AsyncDisposable {
  readonly #services: {
    readonly adapter: ProtocolAdapter
    readonly approvals: Pick<Approvals, 'preview'>
    readonly catalogs: Catalogs
    readonly leases: Leases
    readonly recordings: Recordings
    readonly log: { warn(details: object, message: string): void }
  }
  readonly #queue: Previewed[] = []
  readonly #stop = new AbortController()
  readonly #running = new Set<Promise<void>>()

  constructor(services: {
    readonly adapter: ProtocolAdapter
    readonly approvals: Pick<Approvals, 'preview'>
    readonly catalogs: Catalogs
    readonly leases: Leases
    readonly recordings: Recordings
    readonly log: { warn(details: object, message: string): void }
  }) {
    this.#services = services
  }

  /** Returns at once. */
  begin(previewed: Previewed): void {
    if (this.#stop.signal.aborted) return
    if (this.#queue.length >= MAX_QUEUED) {
      void this.#tell(previewed, 'too many statements wait for theirs')
      return
    }
    this.#queue.push(previewed)
    this.#next()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#queue.length = 0
    this.#stop.abort(new SallyportError('SESSION_ENDED', 'the gateway is stopping'))
    await Promise.all(this.#running)
  }

  #next(): void {
    while (this.#running.size < AT_ONCE) {
      const previewed = this.#queue.shift()
      if (previewed === undefined) return
      const running = this.#preview(previewed).finally(() => {
        this.#running.delete(running)
        this.#next()
      })
      this.#running.add(running)
    }
  }

  /** Never rejects. */
  async #preview(previewed: Previewed): Promise<void> {
    const { subject } = previewed
    const cannot = whyNot(subject)
    if (cannot !== undefined) return await this.#tell(previewed, cannot)
    try {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(TIME_MS)])
      await this.#tell(previewed, await this.#ask(previewed, signal))
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#services.log.warn({ err: error, approval: previewed.id }, 'an impact preview failed')
      await this.#tell(previewed, SallyportError.from(error).message)
    }
  }

  async #ask({ id, subject, permit }: Previewed, signal: AbortSignal): Promise<StatementPreview> {
    const { adapter, catalogs, leases, recordings } = this.#services
    const { target } = permit
    const sessionId = newSessionId(Date.now())
    await using recording = recordings.open(
      {
        id: sessionId,
        principal: GATEWAY,
        target: target.name,
        via: 'api',
        purpose: `impact preview of ${id}`,
        clientName: 'sallyport',
        clientSession: undefined,
        toolUseId: undefined,
        sourceIp: '',
        leaseId: undefined,
        handle: undefined,
        startedAt: new Date(),
      },
      target.recording === 'strict',
    )
    const catalog = await inTime(catalogs.of(target), signal)
    await using lease = await leases.issue({
      permit,
      capability: privilegesFor(subject.reading, catalog),
      sessionId,
      signal,
      forStatement: true,
    })
    recording.lease(lease.id, lease.handle)
    await using upstream = await lease.connect(signal)
    const before = (sql: string): Promise<void> => {
      recording.statement(sql, OWN_WORK)
      return new Promise((resolve, reject) => recording.written({ recorded: resolve, unrecorded: reject }))
    }
    const preview = await adapter.preview(subject, upstream, catalog, before, signal)
    recording.seal('target')
    return preview
  }

  /** Never rejects: people decide with what they have. */
  async #tell({ id, subject, permit }: Previewed, found: StatementPreview | string): Promise<void> {
    const { approvals, catalogs, log } = this.#services
    const catalog = catalogs.current(permit.target)?.catalog
    const effects = catalog === undefined ? {} : effectsOf(subject.reading, catalog)
    try {
      await approvals.preview(id, { ...described(found), ...effects })
    } catch (error) {
      log.warn({ err: error, approval: id }, 'an impact preview could not be kept')
    }
  }
}

/** What cannot be looked at outside of its session, or not without running code that could do anything. */
function whyNot({ reading, executes, searchPath }: ApprovalSubject): string | undefined {
  if (reading.facts.multi) return 'it is more than one statement'
  if (executes.length > 0) return 'it runs a prepared statement of its session'
  if (searchPath.includes('pg_temp')) return 'its session has temporary relations, which nobody else sees'
  const calls = reading.operations.some(({ action }) => action === 'call')
  return calls
    ? 'it calls a function that is not known to be harmless, and may be called by planning it'
    : undefined
}

/** For people, in the order in which they ask. */
function described(found: StatementPreview | string): Readonly<Record<string, unknown>> {
  if (typeof found === 'string') return { rows: `could not be told: ${found}`, plan: [] }
  const { plan, estimatedRows, countedRows, notCountedBecause } = found
  const estimated = estimatedRows === undefined ? [] : [`about ${estimatedRows} estimated`]
  const counted =
    countedRows === undefined
      ? `could not be counted: ${notCountedBecause ?? 'no reason given'}`
      : `${countedRows} counted a moment ago`
  return {
    rows: [counted, ...estimated].join(', '),
    ...(countedRows === undefined ? {} : { countedRows }),
    ...(estimatedRows === undefined ? {} : { estimatedRows }),
    plan: 'lines' in plan ? plan.lines : [`could not be told: ${plan.unknown}`],
  }
}
