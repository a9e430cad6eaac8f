import { LRUCache } from 'lru-cache'
import type { Catalog } from '../access/catalog.ts'
import type { GrantedApproval } from '../access/approval.ts'
import type { HiddenColumns, Mask } from '../access/masking.ts'
import type { DetectionMasks } from '../masking/detection-mask.ts'
import type {
  AccessContext,
  Action,
  Operation,
  Principal,
  StatementReading,
  Target,
} from '../access/model.ts'
import { circumstances, ofTheMoment } from '../policy/circumstances.ts'
import type { DecisionPoint } from '../policy/decision-point.ts'
import { hiddenWhatever } from '../policy/hidden-data.ts'
import type {
  ApprovalSubject,
  Guard,
  PendingApproval,
  SessionRecorder,
  Verdict,
  VerdictCache,
} from '../protocols/contract.ts'
import type { Catalogs } from './catalogs.ts'
import { decideStatement } from './decide-statement.ts'
import type { StatementDecision } from './decide-statement.ts'
import type { SessionMetrics } from './ports.ts'
import { SessionApprovals, type SessionApprovalsOptions } from './session-approvals.ts'
import type { UsagePage } from './recent-usage.ts'
import { hiddenColumns, statementMasks } from './statement-masks.ts'
import type { MaskShelf } from './statement-masks.ts'

const CONNECT: Operation = { action: 'connect', resource: { type: 'Target' } }
/** How long what is hidden is kept where that hangs on the moment. */
const HIDDEN_MS = 1000
const CHANGES_CATALOG: ReadonlySet<Action> = new Set(['create', 'alter', 'drop'])

/** Verdicts kept per principal and target. Applications have some hundred statement shapes. */
const MAX_VERDICTS = 5000
/** Principals whose verdicts are kept. */
const MAX_CACHES = 1000
/** Epochs of the two parts that a verdict hangs on are put into one number. */
const GENERATIONS = 2 ** 24

/** Verdicts that sessions share, when no policy could tell those sessions apart. */
export class Verdicts {
  readonly #caches = new LRUCache<string, { epoch: number; cache: VerdictCache }>({ max: MAX_CACHES })

  /** Empty when the epoch is not the one that the kept verdicts are of. */
  for(key: string, epoch: number): VerdictCache {
    const known = this.#caches.get(key)
    if (known?.epoch === epoch) return known.cache
    const cache = new LRUCache<string, Verdict>({ max: MAX_VERDICTS })
    this.#caches.set(key, { epoch, cache })
    return cache
  }
}

/** What masks are made of. */
export interface GuardMasks {
  readonly shelf: MaskShelf
  /** For values that nobody classified. */
  readonly detector: DetectionMasks
}

/** The policy enforcement point of one session: puts statements to the decision point, and says what came out. */
export class SessionGuard implements Guard {
  readonly sessionId: string
  readonly target: string
  readonly signal: AbortSignal
  readonly recorder: SessionRecorder
  readonly #principal: Principal
  readonly #target: Target
  readonly #context: Omit<AccessContext, 'now'>
  readonly #connection: GrantedApproval | undefined
  readonly #point: DecisionPoint
  readonly #catalogs: Catalogs
  readonly #shared: Verdicts
  readonly #catalog: Catalog
  readonly #metrics: Pick<SessionMetrics, 'decided'>
  readonly #approvals: SessionApprovals
  readonly #usage: UsagePage
  readonly #masks: GuardMasks
  readonly #onAlarm: (verdict: Verdict, operations: readonly string[], text: string) => void
  #hidden: { epoch: number; until: number; columns: HiddenColumns | undefined } | undefined
  #current: { readonly catalog: Catalog; readonly generation: number }
  /** `Catalogs.changes` when `#current` was looked up. */
  #changes = -1
  #cache: VerdictCache | undefined
  #cacheEpoch = -1

  constructor(options: {
    readonly principal: Principal
    readonly target: Target
    readonly context: Omit<AccessContext, 'now'>
    /** What people said to this connection, where policy asks for it. */
    readonly connection?: GrantedApproval | undefined
    readonly point: DecisionPoint
    readonly catalogs: Catalogs
    /** What `catalogs` gave when the session opened. */
    readonly catalog: Catalog
    readonly verdicts: Verdicts
    readonly recorder: SessionRecorder
    readonly metrics: Pick<SessionMetrics, 'decided'>
    readonly usage: UsagePage
    readonly masks: GuardMasks
    /** A statement was permitted by a policy with `@alarm`, before it runs. What it throws is the caller's of `authorize`. */
    readonly onAlarm: (verdict: Verdict, operations: readonly string[], text: string) => void
    readonly signal: AbortSignal
    readonly approvals: Pick<
      SessionApprovalsOptions,
      'approvals' | 'reported' | 'elevate' | 'wait' | 'urlOf' | 'onNew' | 'onPending'
    >
  }) {
    this.sessionId = options.context.sessionId
    this.target = options.target.name
    this.signal = options.signal
    this.recorder = options.recorder
    this.#principal = options.principal
    this.#target = options.target
    this.#context = options.context
    this.#connection = options.connection
    this.#point = options.point
    this.#catalogs = options.catalogs
    this.#shared = options.verdicts
    this.#catalog = options.catalog
    this.#current = { catalog: options.catalog, generation: 0 }
    this.#metrics = options.metrics
    this.#approvals = new SessionApprovals({
      ...options.approvals,
      principal: options.principal,
      target: options.target,
      context: options.context,
      policyVersion: () => options.point.version,
      catalog: () => this.catalog,
      lookAgain: () => this.lookAgain(),
      authorize: (reading, text, approval) => this.authorize(reading, text, approval),
    })
    this.#usage = options.usage
    this.#masks = options.masks
    this.#onAlarm = options.onAlarm
  }

  get epoch(): number {
    return this.#point.epoch * GENERATIONS + this.#currentCatalog().generation
  }

  get catalog(): Catalog {
    return this.#currentCatalog().catalog
  }

  get hidden(): HiddenColumns | undefined {
    const { epoch } = this
    const known = this.#hidden
    // The clock is only looked at where the answer hangs on it: this is asked for every execution.
    if (known?.epoch === epoch && (known.until === Infinity || Date.now() < known.until)) return known.columns
    const until = this.#reusable() ? Infinity : Date.now() + HIDDEN_MS
    const isHidden = hiddenWhatever(this.#point, this.#principal, this.#target, this.#now())
    const columns = isHidden && hiddenColumns(this.catalog, isHidden)
    this.#hidden = { epoch, until, columns }
    return columns
  }

  get verdicts(): VerdictCache {
    const { epoch } = this
    if (this.#cache === undefined || this.#cacheEpoch !== epoch) {
      this.#cache = this.#shared.for(this.#cacheKey(), epoch)
      this.#cacheEpoch = epoch
    }
    return this.#cache
  }

  /** @param approval what people have said to this very statement */
  authorize(reading: StatementReading, text: string, approval?: GrantedApproval): Verdict {
    const { epoch } = this
    const began = performance.now()
    const context = { ...this.#now(), ...(approval === undefined ? {} : { approval }) }
    const decision = decideStatement(this.#point, {
      principal: this.#principal,
      target: this.#target,
      reading,
      context,
      connection: this.#connection,
    })
    if (reading.facts.reading === 'complete') this.#metrics.decided((performance.now() - began) / 1000)
    const operations = reading.operations.length === 0 ? [CONNECT] : reading.operations
    const described = [...new Set(operations.map(describeOperation))]
    if (decision.effect === 'deny') return this.#denial(decision, described, epoch)
    const changesCatalog = operations.some((operation) => CHANGES_CATALOG.has(operation.action))
    if (changesCatalog) this.#catalogs.mayChange(this.#target)
    const { policies, alarms, guesses } = decision
    const detector = (names: boolean): Mask => this.#masks.detector.for(this.#point.resources.patterns, names)
    const masks = decision.masks?.map((plan) =>
      statementMasks(plan, this.#masks.shelf, this.catalog, detector),
    )
    const verdict: Verdict = {
      permitted: true,
      policies,
      epoch,
      // Asked again each time, so that the catalog is looked at after each time it runs, and every alarm is raised.
      reusable: !changesCatalog && alarms.length === 0 && approval === undefined && this.#reusable(),
      ...(masks === undefined ? {} : { masks }),
      ...(alarms.length === 0 ? {} : { alarms }),
      json: JSON.stringify({
        effect: 'permit',
        policies,
        operations: described,
        ...(alarms.length === 0 ? {} : { alarms }),
        ...(guesses === 0 ? {} : { guesses }),
        ...(approval === undefined ? {} : { approval: approval.id }),
      }),
    }
    if (alarms.length > 0) this.#onAlarm(verdict, described, text)
    return verdict
  }

  async lookAgain(): Promise<void> {
    await this.#catalogs.latest(this.#target)
  }

  requestApproval(subject: ApprovalSubject, verdict: Verdict): Promise<PendingApproval> {
    return this.#approvals.request(subject, verdict)
  }

  #denial(
    decision: Extract<StatementDecision, { effect: 'deny' }>,
    operations: readonly string[],
    epoch: number,
  ): Verdict {
    const { policies, reason, hint, code, approval } = decision
    const rules = approval === undefined ? {} : { approval: approval.rules }
    return {
      permitted: false,
      policies,
      reason,
      ...(hint === undefined ? {} : { hint }),
      code,
      epoch,
      // What could not be read is denied whatever the circumstances.
      reusable: code === 'ACCESS_STATEMENT_OPAQUE' || this.#reusable(),
      ...(approval === undefined ? {} : { approval }),
      json: JSON.stringify({
        effect: approval === undefined ? 'deny' : 'approval',
        policies,
        operations,
        reason,
        ...rules,
      }),
    }
  }

  /** Looked up only when something has changed: every message of the client's asks for it, some more than once. */
  #currentCatalog(): { readonly catalog: Catalog; readonly generation: number } {
    const { changes } = this.#catalogs
    if (changes !== this.#changes) {
      this.#changes = changes
      this.#current = this.#catalogs.current(this.#target) ?? { catalog: this.#catalog, generation: 0 }
    }
    return this.#current
  }

  #now(): AccessContext {
    const now = Date.now()
    return { ...this.#context, now, usage: this.#usage.recent(now) }
  }

  #reusable(): boolean {
    return !ofTheMoment(this.#point.contextUse())
  }

  /** Verdicts that hang on the moment are not kept, so that any key will do for those. */
  #cacheKey(): string {
    const parts = this.#point.contextUse()
    return circumstances(parts, this.#principal, this.#target, this.#context) ?? this.sessionId
  }
}

/** `select public.customers`, `create public`, `call`: as the recording and the audit log show it. */
function describeOperation({ action, resource }: Operation): string {
  if (resource.type === 'Table') return `${action} ${resource.schema}.${resource.table}`
  return resource.type === 'Schema' ? `${action} ${resource.schema}` : action
}
