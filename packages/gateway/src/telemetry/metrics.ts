import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { ErrorCode } from '../access/errors.ts'
import type { Target } from '../access/model.ts'

/** From a tenth of a millisecond, for decisions, to ten seconds, for targets that hang. */
const SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Decisions on one target. Whoever decides adds one; it is read when metrics are asked for. */
interface Tally {
  permit: number
  deny: number
  approval: number
}

/** What is known elsewhere, and asked when metrics are. */
export interface CredentialCounts {
  /** On targets, for sessions or ready for one. */
  active(): number
  /** That should be gone and may still be there. */
  left(): number
}

/** People take from seconds to a working day. */
const WAIT_SECONDS = [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200]

/** What is known elsewhere, and asked when metrics are. */
export interface ApprovalCounts {
  /** Requests that wait for people. */
  waiting(): number
}

/** What is known elsewhere, and asked when metrics are. */
export interface ReviewCounts {
  /** Reviews that nobody has closed. Rejects when the store cannot tell. */
  open(): Promise<number>
}

/**
 * The gateway's own figures for Prometheus, by what happened. No label takes a value that a client can choose: neither
 * principals nor SQL, and target names only of targets that exist. `docs/reference/metrics.md` has a line for each.
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #tallies = new Map<string, { readonly protocol: string; readonly target: string } & Tally>()
  readonly #sessionsActive = new Gauge({
    name: 'sallyport_sessions_active',
    help: 'Sessions that are open now',
    labelNames: ['protocol'] as const,
    registers: [this.#registry],
  })
  readonly #sessions = new Counter({
    name: 'sallyport_sessions_total',
    help: 'Sessions that were opened',
    labelNames: ['protocol', 'target'] as const,
    registers: [this.#registry],
  })
  readonly #refusals = new Counter({
    name: 'sallyport_refusals_total',
    help: 'Connections that ended before a session was opened, by error code',
    labelNames: ['code'] as const,
    registers: [this.#registry],
  })
  readonly #alarms = new Counter({
    name: 'sallyport_alarms_total',
    help: 'Statements and connections that a policy with @alarm permitted',
    labelNames: ['target'] as const,
    registers: [this.#registry],
  })
  readonly #masked = new Counter({
    name: 'sallyport_masked_fields_total',
    help: 'Values that were masked, by data class',
    labelNames: ['class'] as const,
    registers: [this.#registry],
  })
  /** Of decisions that policy was really asked for, not of those that were kept. */
  readonly #decisionDuration = new Histogram({
    name: 'sallyport_decision_duration_seconds',
    help: 'Time to ask policy about one connection or statement, where no kept decision did',
    buckets: SECONDS,
    registers: [this.#registry],
  })
  readonly #credentialIssueDuration = new Histogram({
    name: 'sallyport_credential_issue_duration_seconds',
    help: 'Time to make a temporary credential on its target',
    buckets: SECONDS,
    registers: [this.#registry],
  })
  readonly #credentialRevokeDuration = new Histogram({
    name: 'sallyport_credential_revoke_duration_seconds',
    help: 'Time to remove a temporary credential from its target',
    buckets: SECONDS,
    registers: [this.#registry],
  })
  readonly #credentialRevokeFailures = new Counter({
    name: 'sallyport_credential_revoke_failures_total',
    help: 'Revocations that failed and will be tried again',
    registers: [this.#registry],
  })

  readonly #approvals = new Counter({
    name: 'sallyport_approvals_total',
    help: 'Requests for approval, by what became of them',
    labelNames: ['outcome'] as const,
    registers: [this.#registry],
  })
  readonly #approvalWait = new Histogram({
    name: 'sallyport_approval_wait_seconds',
    help: 'From asking people to their decision, the deadline or the withdrawal',
    labelNames: ['outcome'] as const,
    buckets: WAIT_SECONDS,
    registers: [this.#registry],
  })

  /** `version` of the gateway, for `sallyport_build_info`. */
  constructor(
    version: string,
    credentials: CredentialCounts,
    approvals: ApprovalCounts,
    reviews: ReviewCounts,
  ) {
    new Gauge({
      name: 'sallyport_build_info',
      help: 'Always 1; the version of the gateway is a label',
      labelNames: ['version'] as const,
      registers: [this.#registry],
    }).set({ version }, 1)
    const tallies = this.#tallies
    const decisions = new Counter({
      name: 'sallyport_decisions_total',
      help: 'Decisions on connections and statements, kept ones included',
      labelNames: ['decision', 'protocol', 'target'] as const,
      registers: [],
      collect() {
        this.reset()
        for (const { protocol, target, permit, deny, approval } of tallies.values()) {
          this.inc({ decision: 'permit', protocol, target }, permit)
          this.inc({ decision: 'deny', protocol, target }, deny)
          this.inc({ decision: 'approval', protocol, target }, approval)
        }
      },
    })
    const credentialsActive = new Gauge({
      name: 'sallyport_credentials_active',
      help: 'Temporary credentials on targets that sessions use or that are ready for one',
      registers: [],
      collect() {
        this.set(credentials.active())
      },
    })
    const credentialsLeft = new Gauge({
      name: 'sallyport_credentials_left',
      help: 'Temporary credentials that should be gone and may still be there, as the last sweep left them',
      registers: [],
      collect() {
        this.set(credentials.left())
      },
    })
    const approvalsPending = new Gauge({
      name: 'sallyport_approvals_pending',
      help: 'Requests that wait for people now',
      registers: [],
      collect() {
        this.set(approvals.waiting())
      },
    })
    const reviewsOpen = new Gauge({
      name: 'sallyport_reviews_open',
      help: 'Alarms of a session and policy that nobody has reviewed; left out while the store is away',
      registers: [],
      async collect() {
        // The rest of the figures are wanted most when the store is away.
        const open = await reviews.open().catch(() => undefined)
        if (open === undefined) this.remove()
        else this.set(open)
      },
    })
    for (const metric of [decisions, credentialsActive, credentialsLeft, approvalsPending, reviewsOpen])
      this.#registry.registerMetric(metric)
    collectDefaultMetrics({ register: this.#registry })
  }

  /** A client was admitted; disposed of when its session is over. */
  opened({ protocol, name }: Target): Disposable {
    const active = this.#sessionsActive
    this.#sessions.inc({ protocol, target: name })
    active.inc({ protocol })
    return { [Symbol.dispose]: () => active.dec({ protocol }) }
  }

  /** A connection did not become a session. */
  refused(code: ErrorCode): void {
    this.#refusals.inc({ code })
  }

  /** The same one for every session on a target. */
  decisions({ protocol, name }: Target): Tally {
    const key = JSON.stringify([protocol, name])
    const known = this.#tallies.get(key)
    if (known !== undefined) return known
    const tally = { protocol, target: name, permit: 0, deny: 0, approval: 0 }
    this.#tallies.set(key, tally)
    return tally
  }

  /** A policy with `@alarm` permitted something. */
  alarmed(target: Target): void {
    this.#alarms.inc({ target: target.name })
  }

  /** Values of a data class were masked in a result. */
  masked(dataClass: string, values: number): void {
    this.#masked.inc({ class: dataClass }, values)
  }

  /** Policy was asked about one connection or statement, and took this long. */
  decided(seconds: number): void {
    this.#decisionDuration.observe(seconds)
  }

  /** A temporary credential was made on its target, in this time. */
  issued(seconds: number): void {
    this.#credentialIssueDuration.observe(seconds)
  }

  /** A temporary credential was removed from its target, in this time. */
  revoked(seconds: number): void {
    this.#credentialRevokeDuration.observe(seconds)
  }

  /** A temporary credential could not be removed; it will be tried again. */
  revokeFailed(): void {
    this.#credentialRevokeFailures.inc()
  }

  /** People were asked for their word. */
  requested(): void {
    this.#approvals.inc({ outcome: 'requested' })
  }

  /** A request waits no longer, after so many seconds. */
  settled(outcome: 'granted' | 'denied' | 'expired' | 'withdrawn', seconds: number): void {
    this.#approvals.inc({ outcome })
    this.#approvalWait.observe({ outcome }, seconds)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }
}
