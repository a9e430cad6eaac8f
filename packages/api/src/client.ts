import { z } from 'zod'
import { ApiError } from './api-error.ts'
import {
  Approval,
  ApprovalEvents,
  ApprovalList,
  type ApprovalQuery,
  type ApprovalWatchQuery,
  type ApproveRequest,
  type DenyRequest,
} from './approvals.ts'
import { type LeaseQuery, LeaseList } from './leases.ts'
import {
  ExplainedDecision,
  type LintRequest,
  LintReport,
  type SimulateRequest,
  Simulation,
} from './policy.ts'
import { WhoAmI } from './principal.ts'
import { Applied, type ApplyRequest, ResourceSet } from './resources.ts'
import { type CloseReviewRequest, Review, ReviewList, type ReviewQuery } from './reviews.ts'
import { Transport } from './transport.ts'
import {
  EventList,
  type EventQuery,
  type KillRequest,
  Session,
  SessionList,
  type SessionQuery,
} from './sessions.ts'
import { TargetList, TargetSummary } from './targets.ts'
import { Ticket, type TicketRequest } from './tickets.ts'

export { ApiError }

export interface ClientOptions {
  /** Where the gateway is reached: `publicUrl`. */
  readonly url: string
  /** The bearer token; asked for each request, so that it may be renewed. */
  readonly token: () => Promise<string> | string
  readonly fetch?: typeof fetch
}

const NOTHING = z.undefined()

/** A path of the API; ids are data, and stay one part of it whatever is in them. */
function at(...parts: readonly string[]): string {
  return `/api/v1/${parts.map(encodeURIComponent).join('/')}`
}

/** The control API, typed. Every method rejects with an `ApiError`. */
export type Client = ReturnType<typeof createClient>

/** @throws TypeError when `url` is not a URL */
export function createClient(options: ClientOptions) {
  const http = new Transport(options)
  return {
    whoami: () => http.send('GET', at('whoami'), WhoAmI),
    tickets: {
      issue: (request: TicketRequest) => http.send('POST', at('tickets'), Ticket, { body: request }),
      revoke: (id: string) => http.send('DELETE', at('tickets', id), NOTHING),
    },
    targets: {
      list: () => http.send('GET', at('targets'), TargetList),
      get: (name: string) => http.send('GET', at('targets', name), TargetSummary),
    },
    sessions: {
      list: (query: SessionQuery = {}) => http.send('GET', at('sessions'), SessionList, { query }),
      get: (id: string) => http.send('GET', at('sessions', id), Session),
      events: (id: string, query: EventQuery = {}) =>
        http.send('GET', at('sessions', id, 'events'), EventList, { query }),
      kill: (id: string, request: KillRequest = {}) =>
        http.send('POST', at('sessions', id, 'kill'), NOTHING, { body: request }),
    },
    leases: {
      list: (query: LeaseQuery = {}) => http.send('GET', at('leases'), LeaseList, { query }),
      revoke: (id: string) => http.send('POST', at('leases', id, 'revoke'), NOTHING),
    },
    approvals: {
      list: (query: ApprovalQuery = {}) => http.send('GET', at('approvals'), ApprovalList, { query }),
      get: (id: string) => http.send('GET', at('approvals', id), Approval),
      approve: (id: string, request: ApproveRequest) =>
        http.send('POST', at('approvals', id, 'approve'), Approval, { body: request }),
      deny: (id: string, request: DenyRequest) =>
        http.send('POST', at('approvals', id, 'deny'), Approval, { body: request }),
      revoke: (id: string, request: DenyRequest) =>
        http.send('POST', at('approvals', id, 'revoke'), Approval, { body: request }),
      watch: (query: ApprovalWatchQuery = {}) =>
        http.send('GET', at('approvals', 'watch'), ApprovalEvents, { query }),
    },
    reviews: {
      list: (query: ReviewQuery = {}) => http.send('GET', at('reviews'), ReviewList, { query }),
      get: (id: string) => http.send('GET', at('reviews', id), Review),
      close: (id: string, request: CloseReviewRequest) =>
        http.send('POST', at('reviews', id), Review, { body: request }),
    },
    policy: {
      simulate: (request: SimulateRequest) =>
        http.send('POST', at('policy', 'simulate'), Simulation, { body: request }),
      explain: (id: string) => http.send('GET', at('policy', 'decisions', id), ExplainedDecision),
      lint: (request: LintRequest) => http.send('POST', at('policy', 'lint'), LintReport, { body: request }),
    },
    resources: {
      current: () => http.send('GET', at('resources'), ResourceSet),
      apply: (request: ApplyRequest) => http.send('PUT', at('resources'), Applied, { body: request }),
    },
  }
}
