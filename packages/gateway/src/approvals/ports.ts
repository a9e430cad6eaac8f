import type { AlarmRule } from '../access/alarm.ts'
import type { ApprovalNeed } from '../access/approval.ts'
import type { AccessContext, Principal, StatementReading } from '../access/model.ts'
import type { BoundParameter } from '../protocols/contract.ts'
import type { GrantWish } from './grant-bounds.ts'

/**
 * `statement`: this very statement, once. `pattern`: statements of one shape, within bounds, until a deadline.
 * `connection`: whatever the same policies ask about this principal on this target, until a deadline.
 */
export type ApprovalKind = 'statement' | 'pattern' | 'connection'

/**
 * `pending` and `granted` are open, the others final. `withdrawn` is also what a grant becomes that somebody revoked;
 * `used` is for `statement` only: grants until a deadline end by expiring.
 */
export type ApprovalState = 'pending' | 'granted' | 'denied' | 'expired' | 'withdrawn' | 'used'

/** What would run, as far as an approval is bound to it. */
export interface BoundStatement {
  /** As it will be sent. */
  readonly text: string
  readonly reading: Pick<StatementReading, 'operations' | 'needs' | 'facts'>
  readonly parameters: readonly BoundParameter[]
  /** Prepared statements that the text runs by name (EXECUTE), each with its own text. */
  readonly executes: readonly { readonly name: string; readonly text: string }[]
  /** The schemas in which bare names are looked for. */
  readonly searchPath: readonly string[]
  /** The statement without its literals; left out for one that has no shape. Equal shapes have the same parse tree. */
  readonly shape?: string
  /** What it is about, as it is on the target now: a hash of the definitions of its relations and functions. */
  readonly objects?: string
}

/** Everything that an approval is bound to. Whatever differs asks again. */
export interface ApprovalBinding {
  readonly target: string
  readonly database: string
  readonly principal: Principal
  /** Of the policies in force; survives a restart. */
  readonly policyVersion: string
  /** Undefined: it is the connection itself that policy asks about. */
  readonly statement: BoundStatement | undefined
}

/** Asks people for their word. */
export interface ApprovalAsked extends ApprovalBinding {
  readonly need: ApprovalNeed
  readonly sessionId: string | undefined
  readonly via: AccessContext['via']
  readonly sourceIp: string
  /**
   * It outlives the session that asks: the next identical statement takes up the same request (MCP). Otherwise it is
   * withdrawn when that session ends, the gateway's end included.
   */
  readonly durable: boolean
  /** What the client said about itself: shown as reported, decides nothing. */
  readonly reported: Reported
}

export interface Reported {
  readonly purpose?: string
  readonly prompt?: string
  readonly toolUseId?: string
  readonly clientSession?: string
  readonly clientName?: string
}

/** A person, as the IdP names them. */
export interface Person {
  readonly id: string
  readonly issuer: string
  readonly subject: string
  readonly email?: string
}

export type Surface = 'api' | 'cli' | 'console' | 'slack'

export interface ApprovalDecision {
  readonly person: Person
  /** Those of the person's groups that the policies ask for. */
  readonly groups: readonly string[]
  readonly verdict: 'approve' | 'deny'
  readonly reason: string
  readonly surface: Surface
  readonly at: Date
  /** How wide this person meant it. Left out: this statement, once. */
  readonly grant?: GrantWish
}

/** A parameter as it is kept and shown. */
export interface KeptParameter {
  readonly format: number
  /** The type's OID when Parse said it, else 0. */
  readonly type: number
  /** Base64; null for NULL. */
  readonly value: string | null
}

export interface KeptStatement {
  readonly text: string
  readonly parameters: readonly KeptParameter[]
  readonly executes: BoundStatement['executes']
  readonly searchPath: readonly string[]
  /** As recordings show them: `update public.orders`. */
  readonly operations: readonly string[]
  /** Of operations, privileges and facts: two readings with one digest do the same. */
  readonly readingDigest: string
  readonly shape?: string
  readonly objects?: string
}

/** A request and what became of it. */
export interface Approval {
  readonly id: string
  readonly kind: ApprovalKind
  readonly state: ApprovalState
  /** Hex SHA-256 of the binding. */
  readonly digest: string
  readonly target: string
  readonly database: string
  readonly principal: Principal
  readonly policyVersion: string
  readonly statement: KeptStatement | undefined
  readonly need: ApprovalNeed
  readonly sessionId: string | undefined
  readonly via: AccessContext['via']
  readonly sourceIp: string
  readonly durable: boolean
  readonly reported: Reported
  /** What the gateway found out about the statement's effect: JSON, shown as it is. Undefined: not yet, or not at all. */
  readonly preview: unknown
  readonly createdAt: Date
  /** When the present state ends: of waiting while pending, of being usable once granted. */
  readonly expiresAt: Date
  readonly grantedAt: Date | undefined
  readonly closedAt: Date | undefined
  /** Why it is in its final state, for people. */
  readonly closedBecause: string | undefined
  /** How often it was used. */
  readonly uses: number
  /** Of a `pattern` or `connection` that is granted. */
  readonly grant: GrantWish | undefined
  readonly decisions: readonly ApprovalDecision[]
}

export interface ApprovalFilter {
  readonly states?: readonly ApprovalState[]
  readonly target?: string
  readonly before?: Date
  /** Where the last page ended. */
  readonly below?: Pick<Approval, 'createdAt' | 'id'>
  readonly limit: number
}

/** Earlier requests for statements of the same shape on the same target. */
export interface SimilarRequests {
  readonly total: number
  readonly granted: number
  readonly denied: number
  readonly expired: number
  readonly last: { readonly id: string; readonly state: ApprovalState; readonly at: Date } | undefined
}

/** Where requests are kept. They survive the gateway. */
export interface ApprovalStore {
  /**
   * Keeps a new request. A durable one that is identical to a durable pending one is not kept: returns the other one, else
   * the new one.
   * @throws SallyportError STORE_UNAVAILABLE
   */
  put(approval: Approval): Promise<Approval>
  get(id: string): Promise<Approval | undefined>
  /**
   * Moves a request on. `step` sees it as it is, under a lock that nobody else gets meanwhile, and says what it becomes;
   * what it throws leaves everything as it was.
   * @returns what it has become; undefined when there is none
   */
  change(id: string, step: (approval: Approval) => Approval): Promise<Approval | undefined>
  /** Newest first. */
  list(filter: ApprovalFilter): Promise<readonly Approval[]>
  /** All that are pending or granted. */
  open(): Promise<readonly Approval[]>
  similar(approval: Approval, since: Date): Promise<SimilarRequests>
}

/** What happened to a request, for the gateway's audit log. */
export type ApprovalAudit = (event: {
  readonly type:
    | 'approval.request'
    | 'approval.decide'
    | 'approval.expire'
    | 'approval.withdraw'
    | 'approval.revoke'
    | 'approval.use'
    /** Somebody tried to decide who may not. */
    | 'access.denied'
  readonly principal?: string
  readonly target: string
  readonly sessionId?: string
  readonly detail: Readonly<Record<string, string | number | boolean | readonly string[]>>
}) => void

export interface ApprovalLog {
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** What approvals have counted. */
export interface ApprovalMetrics {
  requested(): void
  /** A request left its waiting state after so many seconds. */
  settled(outcome: 'granted' | 'denied' | 'expired' | 'withdrawn', seconds: number): void
}

/** A person as their last token at the gateway described them. */
export interface KnownPerson {
  readonly principal: Principal
  readonly seenAt: Date
}

/** People who have shown a token of their own: what their identity provider says of them, and when. */
export interface PeopleStore {
  saw(principal: Principal, at: Date): Promise<void>
  bySubject(issuer: string, subject: string): Promise<KnownPerson | undefined>
  /** All with this address, whatever its case. */
  byEmail(email: string): Promise<readonly KnownPerson[]>
}

/** A message in Slack that shows a request. */
export interface SlackMessage {
  readonly approvalId: string
  readonly channel: string
  /** Slack's name for the message within its channel. */
  readonly ts: string
}

/** Which messages show which request: they are updated after a restart too, and only they can be answered. */
export interface SlackMessageStore {
  put(message: SlackMessage): Promise<void>
  of(approvalId: string): Promise<readonly SlackMessage[]>
  /** It shows this state of the request now. */
  shows(message: SlackMessage, state: ApprovalState): Promise<void>
  /** Requests of which some message shows another state than they are in; and those that wait without a message. */
  behind(): Promise<readonly string[]>
}

export type ReviewVerdict = 'justified' | 'unjustified'
export type ReviewState = 'open' | ReviewVerdict

/** A statement that an alarm was raised for, or several that are the same. */
export interface AlarmedStatement {
  /** Left out: it was the connection. */
  readonly text?: string
  /** The text goes on; the session's recording has all of it. */
  readonly cut: boolean
  readonly operations: readonly string[]
  readonly count: number
}

/** What somebody thought of it. */
export interface ReviewWordKept {
  readonly person: Person
  /** Those of the person's groups that the policy names. */
  readonly groups: readonly string[]
  readonly verdict: ReviewVerdict
  readonly note: string
  /** How many alarms there were then. */
  readonly alarms: number
  readonly surface: Surface
  /** ISO 8601. */
  readonly at: string
}

/** The alarms of one policy in one session, to be looked at by people. */
export interface Review {
  readonly id: string
  readonly state: ReviewState
  readonly sessionId: string
  readonly target: string
  readonly rule: AlarmRule
  readonly principal: Principal
  readonly via: AccessContext['via']
  readonly sourceIp: string
  readonly purpose: string | undefined
  readonly alarms: number
  readonly firstAt: Date
  readonly lastAt: Date
  /** Different ones, as they came; a bounded number of them. */
  readonly statements: readonly AlarmedStatement[]
  /** Oldest first. All but the last are about alarms before those that opened it again. */
  readonly words: readonly ReviewWordKept[]
}

export interface ReviewFilter {
  readonly states?: readonly ReviewState[]
  readonly target?: string
  readonly sessionId?: string
  /** Where the last page ended. */
  readonly below?: Pick<Review, 'lastAt' | 'id'>
  readonly before?: Date
  readonly limit: number
}

/** Where reviews are kept. All see every alarm that was journalled before they were called. @throws STORE_UNAVAILABLE */
export interface ReviewStore {
  get(id: string): Promise<Review | undefined>
  /** The newest alarm first. */
  list(filter: ReviewFilter): Promise<readonly Review[]>
  /** As `ApprovalStore.change`. */
  change(id: string, step: (review: Review) => Review): Promise<Review | undefined>
  /** How many are open, as far as they are in the store already. */
  open(): Promise<number>
}

/** A message in Slack that shows a review. */
export interface AlarmMessage {
  readonly channel: string
  /** Slack's name for the message within its channel. */
  readonly ts: string
}

/** Which messages show which review. @throws STORE_UNAVAILABLE */
export interface AlarmMessageStore {
  /** Reviews of which messages do not show what they are by now, every alarm that was journalled so far included. */
  behind(): Promise<readonly { readonly review: Review; readonly posted: readonly AlarmMessage[] }[]>
  /** This message shows the review. */
  shows(review: Review, message: AlarmMessage): Promise<void>
  /** All that were to show it, as it is here, do; there may be none. */
  isShown(review: Review): Promise<void>
}
