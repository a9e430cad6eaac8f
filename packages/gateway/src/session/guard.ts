import { LRUCache } from 'lru-cache'
import type { ApprovalNeed, GrantedApproval } from '../access/approval.ts'
import type { Catalog } from '../access/catalog.ts'
import type { HiddenColumns } from '../access/masking.ts'
import type {
  AccessContext,
  Action,
  Operation,
  Principal,
  StatementReading,
  Target,
} from '../access/model.ts'
import { mergeNeeds } from '../policy/approval-rule.ts'
import { circumstances, ofTheMoment } from '../policy/circumstances.ts'
import type { DecisionPoint } from '../policy/decision-point.ts'
import type {
  ApprovalSubject,
  Guard,
  PendingApproval,
  SessionRecorder,
  Verdict,
  VerdictCache,
} from '../protocols/contract.ts'
import type { Catalogs } from './catalogs.ts'
import type { SessionMetrics } from './ports.ts'
import { SessionApprovals, type SessionApprovalsOptions } from './session-approvals.ts'

const CONNECT: Operation = { action: 'connect', resource: { type: 'Target' } }
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

/** The policy enforcement point of one session: puts statements to the decision point, and says what came out. */
export class SessionGuard implements Guard {
  readonly sessionId: string
  readonly target: string
  readonly signal: AbortSignal
  readonly recorder: SessionRecorder
  readonly #principal: Principal
  readonly #target: Target
  readonly #context: Omit<AccessContext, 'now'>
  readonly #point: DecisionPoint
  readonly #catalogs: Catalogs
  readonly #shared: Verdicts
  readonly #catalog: Catalog
  readonly #metrics: Pick<SessionMetrics, 'decided'>
  readonly #approvals: SessionApprovals
  #cache: VerdictCache | undefined
  #cacheEpoch = -1

  constructor(options: {
    readonly principal: Principal
    readonly target: Target
    readonly context: Omit<AccessContext, 'now'>
    readonly point: DecisionPoint
    readonly catalogs: Catalogs
    /** What `catalogs` gave when the session opened. */
    readonly catalog: Catalog
    readonly verdicts: Verdicts
    readonly recorder: SessionRecorder
    readonly metrics: Pick<SessionMetrics, 'decided'>
    readonly signal: AbortSignal
    readonly approvals: Pick<
      SessionApprovalsOptions,
      'approvals' | 'reported' | 'elevate' | 'wait' | 'urlOf' | 'onPending'
    >
  }) {
    this.sessionId = options.context.sessionId
    this.target = options.target.name
    this.signal = options.signal
    this.recorder = options.recorder
    this.#principal = options.principal
    this.#target = options.target
    this.#context = options.context
    this.#point = options.point
    this.#catalogs = options.catalogs
    this.#shared = options.verdicts
    this.#catalog = options.catalog
    this.#metrics = options.metrics
    this.#approvals = new SessionApprovals({
      ...options.approvals,
      principal: options.principal,
      target: options.target,
      context: options.context,
      policyVersion: () => options.point.version,
      catalog: () => this.catalog,
      authorize: (reading, approval) => this.authorize(reading, approval),
    })
  }

  get epoch(): number {
    return this.#point.epoch * GENERATIONS + (this.#catalogs.current(this.#target)?.generation ?? 0)
  }

  get catalog(): Catalog {
    return this.#catalogs.current(this.#target)?.catalog ?? this.#catalog
  }

  get hidden(): HiddenColumns | undefined {
    return undefined
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
  authorize(reading: StatementReading, approval?: GrantedApproval): Verdict {
    const { epoch } = this
    const operations = reading.operations.length === 0 ? [CONNECT] : reading.operations
    if (reading.facts.reading === 'opaque') {
      const described = operations.map(describeOperation)
      const reason = reading.opaqueBecause ?? 'the statement could not be read'
      const hint = 'what cannot be read could do anything, so it is not run; write it in a plainer way'
      const denial = { effect: 'deny', policies: [], operations: described, reason }
      return {
        permitted: false,
        policies: [],
        reason,
        hint,
        code: 'ACCESS_STATEMENT_OPAQUE',
        epoch,
        reusable: true,
        json: JSON.stringify(denial),
      }
    }
    const began = performance.now()
    const verdict = this.#ask(operations, reading, epoch, approval)
    this.#metrics.decided((performance.now() - began) / 1000)
    return verdict
  }

  requestApproval(subject: ApprovalSubject, verdict: Verdict): Promise<PendingApproval> {
    return this.#approvals.request(subject, verdict)
  }

  #ask(
    operations: readonly Operation[],
    reading: StatementReading,
    epoch: number,
    approval: GrantedApproval | undefined,
  ): Verdict {
    const described = operations.map(describeOperation)
    const policies = new Set<string>()
    const needs: ApprovalNeed[] = []
    const context = {
      ...this.#context,
      now: Date.now(),
      ...(approval === undefined ? {} : { approval }),
    }
    for (const operation of operations) {
      const decision = this.#point.decide({
        principal: this.#principal,
        target: this.#target,
        operation,
        facts: reading.facts,
        context,
      })
      if (decision.effect === 'deny' && decision.approval !== undefined) {
        needs.push(decision.approval)
        continue
      }
      if (decision.effect === 'deny') {
        const { reason } = decision
        return {
          permitted: false,
          policies: decision.policies,
          reason,
          ...(decision.hint === undefined ? {} : { hint: decision.hint }),
          code: 'ACCESS_POLICY_DENIED',
          epoch,
          reusable: this.#reusable(),
          json: JSON.stringify({
            effect: 'deny',
            policies: decision.policies,
            operations: described,
            reason,
          }),
        }
      }
      for (const id of decision.policies) policies.add(id)
    }
    if (needs.length > 0) return this.#needsApproval(mergeNeeds(needs), described, epoch)
    const changesCatalog = operations.some((operation) => CHANGES_CATALOG.has(operation.action))
    if (changesCatalog) this.#catalogs.mayChange(this.#target)
    const ids = [...policies].toSorted()
    return {
      permitted: true,
      policies: ids,
      epoch,
      // Asked again each time, so that the catalog is looked at after each time it runs.
      reusable: !changesCatalog && this.#reusable(),
      json: JSON.stringify({ effect: 'permit', policies: ids, operations: described }),
    }
  }

  /** Nothing forbids it but that nobody has been asked yet. */
  #needsApproval(approval: ApprovalNeed, described: readonly string[], epoch: number): Verdict {
    const { policies, reason, rules } = approval
    return {
      permitted: false,
      policies,
      reason,
      code: 'ACCESS_POLICY_DENIED',
      epoch,
      reusable: this.#reusable(),
      approval,
      json: JSON.stringify({ effect: 'deny', policies, operations: described, reason, approval: rules }),
    }
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
