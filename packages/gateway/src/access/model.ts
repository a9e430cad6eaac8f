/** The vocabulary every other folder speaks. Pure types; imports nothing but `Secret`. */
import type { ApprovalNeed, GrantedApproval } from './approval.ts'
import type { Grant } from './capability.ts'
import type { DataFlow } from './data-flow.ts'
import type { Secret } from './secret.ts'

export type PrincipalKind = 'user' | 'agent' | 'service'

/** Who asks. */
export interface Principal {
  readonly kind: PrincipalKind
  /** Unique over all trusted issuers: the subject, after the issuer's configured prefix (`corp/ana`). */
  readonly id: string
  readonly issuer: string
  readonly subject: string
  readonly groups: readonly string[]
  /** Further claims that the issuer's configuration maps to policy, as strings. */
  readonly attributes: Readonly<Record<string, string>>
  /** The person for whom an agent acts (RFC 8693 §4.1, the token's `sub` where `act` names the agent). */
  readonly actingFor?: Principal
}

/** A named system behind the gateway. */
export interface Target {
  readonly name: string
  readonly protocol: 'postgres'
  readonly address: { readonly host: string; readonly port: number }
  readonly database: string
  readonly tls: { readonly mode: 'disable' | 'require' | 'verify-full'; readonly ca?: string }
  readonly tags: Readonly<Record<string, string>>
  readonly credentials: IssuerAccount
  /** `strict`: an event is synced to disk before its operation is forwarded, and so survives the host's crash too. */
  readonly recording: 'written' | 'strict'
  /** How long a statement waits for people before it fails. Left out: ten minutes. */
  readonly approvalWaitSeconds?: number
}

/** The gateway's own account on a target: makes and removes the temporary credentials, runs nothing of anybody's. */
export interface IssuerAccount {
  readonly issuer: 'postgres-role'
  readonly username: string
  readonly password: Secret
  /** How long one temporary credential, and the session on it, may live. */
  readonly ttlSeconds: number
  /** Leases kept ready per capability in use, so that opening a session costs less than a plain connect. 0: none. */
  readonly prewarm: number
}

/** What an operation is on, inside its target. */
export type Resource =
  | { readonly type: 'Target' }
  | { readonly type: 'Database' }
  | { readonly type: 'Schema'; readonly schema: string }
  | { readonly type: 'Table'; readonly schema: string; readonly table: string }
  /** A kind of sensitive data, and the kinds of which it is a special case, from the inside out. */
  | { readonly type: 'DataClass'; readonly name: string; readonly within: readonly string[] }

/** The actions of the policy schema that apply to targets. A closed set: what is none of these is `opaque`. */
export const ACTIONS = [
  'connect',
  'select',
  'insert',
  'update',
  'delete',
  'merge',
  'truncate',
  'create',
  'alter',
  'drop',
  'grant',
  'revoke',
  'call',
  'copyIn',
  'copyOut',
  'set',
  'lock',
  'listen',
  'notify',
  'maintain',
  'reveal',
  'infer',
] as const
export type Action = (typeof ACTIONS)[number]

/** One (action, resource) pair. A statement is several; all of them must be permitted. */
export interface Operation {
  readonly action: Action
  readonly resource: Resource
  /**
   * The columns of the table that are read or written, sorted; `[]`: the table, but none of its columns (`count(*)`). Left
   * out where the action is not on columns.
   */
  readonly columns?: readonly string[]
  /**
   * It happens by way of something else that the statement names: a table below a view, a partition, a cascade. What policy
   * forbids there is forbidden; a permit is needed only for what is named.
   */
  readonly through?: RelationPath
}

/** `public.v_orders`, and how it leads there. */
export interface RelationPath {
  readonly schema: string
  readonly table: string
  readonly by: 'view' | 'partition' | 'parent' | 'foreign-key'
}

/** What policy may ask about the statement as a whole. */
export interface StatementFacts {
  /** Every UPDATE and DELETE in it has a WHERE; true where there is none of them. */
  readonly hasWhere: boolean
  /** Some WHERE is sure to be true for every row (`true`, `1=1`, `id=id`). */
  readonly whereIsTrivial: boolean
  /** Functions called, as written and lower-cased, schema-qualified where the statement does so; sorted, unique. */
  readonly functions: readonly string[]
  /** One simple query held more than one statement. */
  readonly multi: boolean
  /** Some rows are locked: FOR UPDATE, FOR SHARE. */
  readonly locksRows: boolean
  /** It could run inside a read-only transaction. */
  readonly readOnly: boolean
  /** The outermost LIMIT when it is a constant. */
  readonly limit?: number
  /** `opaque`: it could not be read whole, so it could do anything, and is denied. */
  readonly reading: 'complete' | 'opaque'
}

/** A function that a statement calls, as far as it is known. */
export interface FunctionCall {
  /** As `StatementFacts.functions` has it. */
  readonly name: string
  /** The most volatile of those that the name may mean. */
  readonly volatility: 'immutable' | 'stable' | 'volatile'
  /** It changes nothing, runs no text and reads nothing but its arguments and the catalog: policy is not asked. */
  readonly harmless: boolean
}

/** A statement as far as it was understood. */
export interface StatementReading {
  readonly operations: readonly Operation[]
  readonly facts: StatementFacts
  /** Why it is opaque, for the person who wrote it. */
  readonly opaqueBecause?: string
  /**
   * What the reading depends on. `shape`: the same for any other literals in the same places. `text`: only for this very
   * text (a LIMIT, an argument that names something).
   */
  readonly dependsOn: 'shape' | 'text'
  /** Privileges that the target itself will check: what a credential for this statement alone needs. */
  readonly needs: readonly Grant[]
  /** Of a text with several statements: all of them together. */
  readonly flow: DataFlow
  /** Left out: none. */
  readonly calls?: readonly FunctionCall[]
  /** Of each statement, where there are several. */
  readonly flows?: readonly DataFlow[]
}

/** Everything around the request that policy may look at. */
export interface AccessContext {
  readonly sessionId: string
  readonly sourceIp: string
  readonly purpose?: string
  /** How the statement reached us. */
  readonly via: 'postgres' | 'mcp' | 'api'
  /** Epoch milliseconds. */
  readonly now: number
  /** What the principal has done on the target of late. */
  readonly usage?: RecentUsage
  /** What people have said to this very statement. */
  readonly approval?: GrantedApproval
  /** How a masked column would be told from the answer; with `infer` only. */
  readonly inference?: string
}

/** What a principal has done on a target, in all its sessions on this gateway. */
export interface RecentUsage {
  readonly lastMinute: Usage
  readonly lastHour: Usage
}

const NOTHING_DONE: Usage = { statements: 0, rows: 0, denials: 0 }
export const NO_USAGE: RecentUsage = { lastMinute: NOTHING_DONE, lastHour: NOTHING_DONE }

export interface Usage {
  /** Statements that were decided on, permitted or not. */
  readonly statements: number
  /** Rows that the target's answers held: returned, or changed. */
  readonly rows: number
  /** Statements that were denied. */
  readonly denials: number
}

export interface AccessRequest {
  readonly principal: Principal
  readonly target: Target
  readonly operation: Operation
  readonly facts?: StatementFacts
  readonly context: AccessContext
}

export type Obligation =
  | { readonly kind: 'record'; readonly detail: 'operations' | 'full' }
  | { readonly kind: 'limit'; readonly rows: number }

/** What the policy decision point says. `policies` are the `@id`s of the policies that determined it. */
export type Decision =
  | {
      readonly effect: 'permit'
      readonly policies: readonly string[]
      readonly obligations: readonly Obligation[]
      /** Those of `policies` that carry `@alarm`: somebody is to be told at once, and to look at it afterwards. */
      readonly alarms?: readonly string[]
    }
  | {
      readonly effect: 'deny'
      readonly policies: readonly string[]
      readonly reason: string
      readonly hint?: string
      /** Set when only people's word is missing: with it, the same policies would permit. */
      readonly approval?: ApprovalNeed
      /** Left out: ACCESS_POLICY_DENIED. */
      readonly code?: 'ACCESS_POLICY_DENIED' | 'ACCESS_POLICY_ERROR' | 'ACCESS_STATEMENT_OPAQUE'
    }
