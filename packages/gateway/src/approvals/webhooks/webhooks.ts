import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import type { Secret } from '../../access/secret.ts'
import type { ApprovalLog } from '../ports.ts'
import { AddressGuard } from './address-guard.ts'
import type { WebhookEvent } from './event-payload.ts'
import { post } from './post.ts'

export interface WebhookEndpoint {
  readonly url: string
  readonly secret: Secret
  /** `approval.requested`, `approval.*`. */
  readonly events: readonly string[]
  /** Whether the statement is sent too. */
  readonly statement: boolean
}

/** What became of one event at one endpoint. */
export type WebhookAudit = (event: {
  readonly type: 'webhook.deliver' | 'webhook.fail'
  readonly detail: Readonly<Record<string, string | number>>
}) => void

/** Waits between attempts, in milliseconds: over two days in all, as Standard Webhooks has it, from seconds on. */
const BACKOFF_MS = [5, 30, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000].map((seconds) => seconds * 1000)
/** Events that wait for one endpoint. When a receiver is away for long, the oldest are given up, and the log says so. */
const MAX_WAITING = 1000
/** Attempts at one endpoint at once: the next event does not wait for the retries of the last. */
const MAX_AT_ONCE = 8

interface Delivery {
  readonly id: string
  readonly event: WebhookEvent
  readonly body: string
}

/** Tells other systems of events: signed, retried, bounded. What is told is written to the audit log either way. */
export class Webhooks implements AsyncDisposable {
  readonly #endpoints: readonly Endpoint[]
  readonly #stop = new AbortController()

  constructor(options: {
    readonly endpoints: readonly WebhookEndpoint[]
    readonly allowAddresses: readonly string[]
    readonly audit: WebhookAudit
    readonly log: ApprovalLog
    /** Waits between attempts; left out: those of Standard Webhooks. */
    readonly backoffMs?: readonly number[]
  }) {
    const guard = new AddressGuard(options.allowAddresses)
    this.#endpoints = options.endpoints.map(
      (endpoint) => new Endpoint(endpoint, { ...options, guard, stop: this.#stop.signal }),
    )
  }

  /** Queues it for every endpoint that wants it. Returns at once. */
  send(event: WebhookEvent): void {
    for (const endpoint of this.#endpoints) endpoint.send(event)
  }

  /** Gives up what has not been delivered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.ended()))
  }
}

interface Around {
  readonly guard: AddressGuard
  readonly audit: WebhookAudit
  readonly log: ApprovalLog
  readonly stop: AbortSignal
  readonly backoffMs?: readonly number[]
}

class Endpoint {
  readonly #endpoint: WebhookEndpoint
  readonly #around: Around
  readonly #signer: Webhook
  readonly #waiting: Delivery[] = []
  readonly #running = new Set<Promise<void>>()
  #gone = false

  constructor(endpoint: WebhookEndpoint, around: Around) {
    this.#endpoint = endpoint
    this.#around = around
    this.#signer = new Webhook(endpoint.secret.reveal())
  }

  send(event: WebhookEvent): void {
    if (this.#gone || this.#around.stop.aborted || !this.#wants(event.type)) return
    const { statement } = event
    const data =
      this.#endpoint.statement && statement !== undefined ? { ...event.data, statement } : event.data
    const body = JSON.stringify({ type: event.type, timestamp: event.at.toISOString(), data })
    // The same for every attempt, and never for two events: a receiver knows by it what it has had already.
    const id = `msg_${createHash('sha256').update(body).digest('hex').slice(0, 32)}`
    this.#waiting.push({ id, event, body })
    if (this.#waiting.length > MAX_WAITING) {
      const dropped = this.#waiting.shift()
      if (dropped !== undefined) this.#failed(dropped, 0, 'too many events wait for this endpoint')
    }
    this.#next()
  }

  async ended(): Promise<void> {
    await Promise.all(this.#running)
    for (const delivery of this.#waiting.splice(0)) this.#failed(delivery, 0, 'the gateway was stopped')
  }

  #wants(type: string): boolean {
    return this.#endpoint.events.some(
      (one) => one === type || (one.endsWith('.*') && type.startsWith(one.slice(0, -1))),
    )
  }

  #next(): void {
    while (this.#running.size < MAX_AT_ONCE) {
      const delivery = this.#waiting.shift()
      if (delivery === undefined) return
      const work = this.#deliver(delivery)
        .catch((error: unknown) => this.#around.log.error({ err: error }, 'a webhook was not audited'))
        .finally(() => {
          this.#running.delete(work)
          this.#next()
        })
      this.#running.add(work)
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { stop, audit, backoffMs = BACKOFF_MS } = this.#around
    for (let attempt = 1; ; attempt++) {
      if (stop.aborted || this.#gone) return this.#failed(delivery, attempt - 1, 'the gateway was stopped')
      const outcome = await this.#attempt(delivery)
      if (outcome === 'delivered') {
        audit({ type: 'webhook.deliver', detail: { ...this.#named(delivery), attempts: attempt } })
        return
      }
      const wait = backoffMs[attempt - 1]
      if (outcome.final || wait === undefined) return this.#failed(delivery, attempt, outcome.why)
      this.#around.log.warn(
        { ...this.#named(delivery), attempt, why: outcome.why },
        'a webhook was not taken',
      )
      // Up to a tenth longer, so that receivers that come back are not met by everything at once.
      await sleep(wait * (1 + Math.random() / 10), undefined, { signal: stop, ref: false }).catch(
        () => undefined,
      )
    }
  }

  async #attempt({
    id,
    body,
  }: Delivery): Promise<'delivered' | { readonly why: string; readonly final: boolean }> {
    const at = new Date()
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'sallyport',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': this.#signer.sign(id, at, body),
    }
    try {
      const status = await post(new URL(this.#endpoint.url), headers, body, this.#around.guard)
      if (status >= 200 && status < 300) return 'delivered'
      // Standard Webhooks: 410 says that nothing is wanted there any more.
      if (status === 410) this.#gone = true
      return { why: `it answered ${status}`, final: status === 410 }
    } catch (error) {
      return { why: error instanceof Error ? error.message : 'it did not answer', final: false }
    }
  }

  #failed(delivery: Delivery, attempts: number, why: string): void {
    const detail = { ...this.#named(delivery), attempts, why }
    this.#around.log.error(detail, 'a webhook was given up')
    this.#around.audit({ type: 'webhook.fail', detail })
  }

  /** Without what may be secret in a URL: its path is one, with some receivers. */
  #named({ id, event }: Delivery): Record<string, string> {
    const about = event.data['id']
    return {
      endpoint: new URL(this.#endpoint.url).host,
      webhook: id,
      event: event.type,
      ...(typeof about === 'string' ? { approval: about } : {}),
    }
  }
}
