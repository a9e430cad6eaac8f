import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** From a tenth of a millisecond, for decisions, to ten seconds, for targets that hang. */
const SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * The gateway's own figures for Prometheus. No label takes a value that a client can choose: neither principals nor SQL,
 * and target names only of targets that exist.
 */
export class Metrics {
  readonly #registry = new Registry()

  /** Decisions on statements and connections; `decision` is permit or deny. */
  readonly decisions = new Counter({
    name: 'sallyport_decisions_total',
    help: 'Decisions of policy on connections and statements',
    labelNames: ['decision', 'protocol', 'target'] as const,
    registers: [this.#registry],
  })
  /** Of decisions that policy was really asked for, not of those that were kept. */
  readonly decisionDuration = new Histogram({
    name: 'sallyport_decision_duration_seconds',
    help: 'Time to ask policy about one connection or statement',
    buckets: SECONDS,
    registers: [this.#registry],
  })
  readonly sessionsActive = new Gauge({
    name: 'sallyport_sessions_active',
    help: 'Sessions that are open now',
    labelNames: ['protocol'] as const,
    registers: [this.#registry],
  })
  readonly sessions = new Counter({
    name: 'sallyport_sessions_total',
    help: 'Sessions that were opened',
    labelNames: ['protocol', 'target'] as const,
    registers: [this.#registry],
  })
  readonly refusals = new Counter({
    name: 'sallyport_refusals_total',
    help: 'Connections refused before a session was opened, by error code',
    labelNames: ['code'] as const,
    registers: [this.#registry],
  })
  /** Temporary credentials on targets, ready ones included. */
  readonly credentialsActive = new Gauge({
    name: 'sallyport_credentials_active',
    help: 'Temporary credentials that exist on targets now',
    registers: [this.#registry],
  })
  readonly credentialIssueDuration = new Histogram({
    name: 'sallyport_credential_issue_duration_seconds',
    help: 'Time to make a temporary credential on its target',
    buckets: SECONDS,
    registers: [this.#registry],
  })
  readonly credentialRevokeDuration = new Histogram({
    name: 'sallyport_credential_revoke_duration_seconds',
    help: 'Time to remove a temporary credential from its target',
    buckets: SECONDS,
    registers: [this.#registry],
  })
  readonly credentialRevokeFailures = new Counter({
    name: 'sallyport_credential_revoke_failures_total',
    help: 'Revocations that failed and will be tried again',
    registers: [this.#registry],
  })

  /** `version` of the gateway, for `sallyport_build_info`. */
  constructor(version: string) {
    new Gauge({
      name: 'sallyport_build_info',
      help: 'Always 1; the version of the gateway is a label',
      labelNames: ['version'] as const,
      registers: [this.#registry],
    }).set({ version }, 1)
    collectDefaultMetrics({ register: this.#registry })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }
}
