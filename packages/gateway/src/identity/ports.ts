import type { Principal } from '../access/model.ts'

export interface TicketRow {
  readonly id: string
  readonly principal: Principal
  readonly target: string
  readonly purpose: string | undefined
  /** The agent framework's own session, as reported by the client. */
  readonly clientSession: string | undefined
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly revokedAt: Date | undefined
}

/** Where tickets are remembered: only under a keyed hash, so that neither reading nor writing the store yields one. */
export interface TicketStore {
  put(row: Omit<TicketRow, 'revokedAt'>, hash: Buffer): Promise<void>
  /** Undefined for an unknown hash; expired and revoked rows are returned as they are. */
  find(hash: Buffer): Promise<TicketRow | undefined>
  get(id: string): Promise<TicketRow | undefined>
  /** True when the row was there and not yet revoked. */
  revoke(id: string, at: Date): Promise<boolean>
  /** Forgets tickets that ended before `before`. */
  prune(before: Date): Promise<number>
}

/** A trusted OpenID provider, and how its tokens become principals. */
export interface TrustedIssuer {
  /** The issuer identifier, exactly as the tokens' `iss` has it. */
  readonly issuer: string
  /** What the tokens' `aud` must contain. */
  readonly audience: string
  /** Put before every subject, with a slash. Required as soon as more than one issuer is trusted. */
  readonly prefix: string | undefined
  /** JWS algorithms; empty means the default ones. Symmetric ones and `none` are refused. */
  readonly algorithms: readonly string[]
  readonly claims: {
    /** The claim that identifies a person. Agents and services are always identified by `sub`. */
    readonly id: string
    readonly groups: string
    /** The claim that says `user`, `agent` or `service`, if there is one. */
    readonly kind: string | undefined
    /** Attribute name for policy → claim that holds it. */
    readonly attributes: Readonly<Record<string, string>>
  }
}
