import type { Duplex } from 'node:stream'
import type { Capability } from '../access/capability.ts'
import type { ApprovalNeed } from '../access/approval.ts'
import type { Catalog } from '../access/catalog.ts'
import type { ErrorCode, SallyportError } from '../access/errors.ts'
import type { HiddenColumns, MaskedColumn, ResultMasks } from '../access/masking.ts'
import type { Obligation, StatementReading, Target } from '../access/model.ts'
import type { Permit } from '../access/permit.ts'
import type { Secret } from '../access/secret.ts'

/** Everything that a protocol must supply. `conformance.ts` holds the tests that each adapter passes. */
export interface ProtocolAdapter {
  readonly protocol: Target['protocol']
  readonly discharges: ReadonlySet<Obligation['kind']>
  /**
   * `server.ts`: speaks as the server, as far as knowing who is asking for what. Undefined when the connection asked for
   * nothing that needs a session and has been dealt with (a CancelRequest).
   */
  greet(client: Duplex, signal: AbortSignal): Promise<Greeting | undefined>
  /**
   * `upstream.ts`: speaks as the client, with a temporary credential. It may still be in the making: the target is
   * reached meanwhile, and is told nothing before.
   */
  connect(
    target: Target,
    credential: Credential | Promise<Credential>,
    signal: AbortSignal,
    /** `Catalog.searchPath`; left out: the protocol's default. */
    searchPath?: readonly string[],
  ): Promise<Upstream>
  /**
   * `relay.ts`: moves messages both ways, asking the guard first. Resolves with who hung up; rejects with a SallyportError
   * when the session had to be ended (the guard's signal, a broken message, a recording that failed), after telling the client.
   */
  relay(client: Downstream, upstream: Upstream, guard: Guard): Promise<'client' | 'target'>
  /**
   * What an approved statement would do, found out without doing it, for the people who are asked. `before` is called with
   * each query that is sent.
   * @throws SallyportError when the target cannot be asked
   */
  preview(
    subject: ApprovalSubject,
    upstream: Upstream,
    catalog: Catalog,
    before: (sql: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<StatementPreview>
  /**
   * Reads a statement as a session that has just begun on the target would run it. Never rejects: what cannot be read is
   * opaque.
   * @param session whose turn it is
   */
  read(statement: string, target: Target, catalog: Catalog, session: string): Promise<StatementReading>
  /** `credentials.ts`: makes and removes temporary credentials on one target. */
  issuerFor(target: Target): CredentialIssuer
}

/** What the client showed to say who it is. The identity service finds out which kind of bearer it is. */
export interface Proof {
  readonly kind: 'bearer'
  readonly token: Secret
}

export interface Greeting {
  readonly targetName: string
  readonly proof: Proof
  /** What the client calls itself (`application_name`); a claim, not a fact. */
  readonly clientName?: string
  /** Sends the protocol's success message. Takes the permit, so that no code path can send it without one. */
  admit(permit: Permit, upstream: Upstream, sessionId: string): Promise<Downstream>
  /** Sends the protocol's own error frame, so that psql, mysql or ssh prints the reason. Never throws. */
  refuse(error: SallyportError): Promise<void>
}

/** The client's side, admitted. Only its own adapter knows what is in it. */
export interface Downstream {
  readonly protocol: Target['protocol']
}

/** The target's side, logged in. Only its own adapter knows what is in it. */
export interface Upstream extends AsyncDisposable {
  readonly protocol: Target['protocol']
  /** False once the target has hung up: a connection made ahead of demand must not be handed out then. */
  readonly alive: boolean
}

/** The answer to one statement, ready to be kept and used again. */
export interface Verdict {
  readonly permitted: boolean
  readonly policies: readonly string[]
  /** For a denial: what and why, for the person or agent who wrote the statement. */
  readonly reason?: string
  readonly hint?: string
  /** Left out: ACCESS_POLICY_DENIED. */
  readonly code?: ErrorCode
  /** The guard's epoch when it was asked. A verdict of another epoch is no verdict. */
  readonly epoch: number
  /** False when it hangs on something that changes with every call (the time): ask again each time. */
  readonly reusable: boolean
  /**
   * What has to be done to the answers before the client gets them: one for each statement of the text, in order. Left out:
   * nothing. A statement beyond them is one that was not read, and its answer is closed.
   */
  readonly masks?: readonly ResultMasks[]
  /** Policies among `policies` that raise an alarm whenever they permit something (`@alarm`). */
  readonly alarms?: readonly string[]
  /** Not permitted, but people can permit it: `Guard.requestApproval`. */
  readonly approval?: ApprovalNeed
  /** `{"effect":…,"policies":…,"operations":…}`, as the recording holds it; made once per verdict, not per statement. */
  readonly json: string
}

/** The policy enforcement point, as an adapter sees it. Adapters hold no policy, identity or storage. */
export interface Guard {
  readonly sessionId: string
  /** The target's name. */
  readonly target: string
  /** Aborts when the session must end now: its deadline, a kill, the gateway's stop. The reason is a SallyportError. */
  readonly signal: AbortSignal
  /** Changes whenever policies or the target's catalog do. */
  readonly epoch: number
  /** What there is on the target: for reading names as the target would. */
  readonly catalog: Catalog
  /**
   * What masks hide on this target from whoever asks, whatever a statement was read to be: a result in which the target says
   * there is one of these columns and no mask is on it is closed. Undefined: nothing is hidden.
   */
  readonly hidden: HiddenColumns | undefined
  /**
   * Verdicts under the current epoch, shared by sessions of the same principal on the same target. The adapter chooses
   * the keys: a statement's shape, or its text.
   */
  readonly verdicts: VerdictCache
  /**
   * Asks policy for every operation of a statement. Never throws: what cannot be decided is denied.
   * @param text as it was sent, for whoever reviews an alarm
   */
  authorize(reading: StatementReading, text: string): Verdict
  /**
   * Has the target looked at anew: people must not be asked about something that is not there any more. The epoch is another
   * one if anything has changed.
   * @throws SallyportError when it cannot be looked at
   */
  lookAgain(): Promise<void>
  /**
   * Asks people. The request is stored before it returns an id; the statement waits for `outcome`.
   * @param verdict one with `approval`
   * @throws SallyportError LIMIT_REACHED, STORE_UNAVAILABLE: then the statement is denied
   */
  requestApproval(subject: ApprovalSubject, verdict: Verdict): Promise<PendingApproval>
  readonly recorder: SessionRecorder
}

/** Exactly what would run. An approval is bound to the digest of all of it. */
export interface ApprovalSubject {
  /** The statement as it will be sent. */
  readonly text: string
  readonly reading: StatementReading
  readonly parameters: readonly BoundParameter[]
  /** Prepared statements that the text runs by name (EXECUTE), each with its own text. */
  readonly executes: readonly { readonly name: string; readonly text: string }[]
  /** The schemas in which bare names are looked for. */
  readonly searchPath: readonly string[]
  /** The statement without its literals; left out for one that has no shape. For approvals of a pattern. */
  readonly shape?: string
}

/** A parameter of a Bind message, as sent. */
export interface BoundParameter {
  /** 0: text, 1: binary. */
  readonly format: number
  /** The type's OID when Parse said it, else 0. */
  readonly type: number
  readonly value: Buffer | null
}

/** What the target says about a statement before it runs. Whatever is undefined could not be told. */
export interface StatementPreview {
  readonly plan: { readonly lines: readonly string[] } | { readonly unknown: string }
  readonly estimatedRows: number | undefined
  readonly countedRows: number | undefined
  readonly notCountedBecause: string | undefined
}

/** A statement that waits for people. */
export interface PendingApproval {
  readonly id: string
  /** Where to decide: for the client's user. */
  readonly url: string
  readonly expiresAt: Date
  /** Never rejects. */
  readonly outcome: Promise<ApprovalOutcome>
  /** The client has gone, or cancelled. No decision counts any more. */
  withdraw(why: string): void
}

export type ApprovalOutcome =
  | {
      readonly granted: true
      /**
       * At the last moment before the bytes go out: uses the approval up, asks policy again with it, and gives the
       * credential what the statement needs. Not granted after all when anything differs.
       * @param subject made anew from the bytes that are about to be sent. Never rejects.
       */
      redeem(subject: ApprovalSubject): Promise<RedeemedApproval>
    }
  | { readonly granted: false; readonly verdict: Verdict }

export interface RedeemedApproval {
  /** Not permitted when the approval did not count after all. */
  readonly verdict: Verdict
  /** Takes the privilege away again. To be called when the statement has ended, however. Never rejects. */
  release(): Promise<void>
}

/** Bounded; forgets the least used. */
export interface VerdictCache {
  get(key: string): Verdict | undefined
  set(key: string, verdict: Verdict): void
}

/**
 * The session's recording, as the relay writes it. Methods take primitives and append to a buffer: they are called for
 * every statement. Nothing may be forwarded before `written` has called back.
 */
export interface SessionRecorder {
  /** A statement and what was decided. Returns its number in this session; the decision's id is `<session>.<number>`. */
  statement(text: string, verdict: Verdict): number
  /** A prepared statement is about to run. `parameters` is a JSON array, already bounded. Returns its own number. */
  execute(statement: number, parameters: string): number
  /** What came back for the statement or execution `of`. `bytes` counts what the client is sent; `masked` is left out for nothing. */
  result(
    of: number,
    tag: string,
    rows: number,
    bytes: number,
    microseconds: number,
    sqlstate?: string,
    masked?: readonly MaskedColumn[],
  ): void
  /**
   * Calls `waiter.recorded()` when all that was appended so far is in the operating system's hands (`written`) or on the
   * disk (`strict`); `waiter.unrecorded()` when that failed, after which nothing of this session may be forwarded.
   * Never calls back before it returns.
   */
  written(waiter: RecordingWaiter): void
}

export interface RecordingWaiter {
  recorded(): void
  unrecorded(error: SallyportError): void
}

/** Names a credential before it exists. Stored before the side effect, so that a crash leaves nothing unknown. */
export interface CredentialPlan {
  readonly leaseId: string
  /** The target's name for it: the PostgreSQL role. */
  readonly handle: string
  readonly capability: Capability
  readonly expiresAt: Date
}

export interface Credential {
  readonly username: string
  readonly secret: Secret
  /** Sessions on it start read-only. */
  readonly readOnly: boolean
}

/** Makes and removes temporary credentials on one target. All methods may be called again after any failure. */
export interface CredentialIssuer extends AsyncDisposable {
  /** Pure. `owner` is this installation's id; it becomes part of every name, so that strays can be told from others' roles. */
  plan(owner: string, leaseId: string, capability: Capability, expiresAt: Date): CredentialPlan
  issue(plan: CredentialPlan, signal: AbortSignal): Promise<Credential>
  /** Idempotent: revoking what never existed, or is already gone, succeeds. Ends the credential's live sessions first. */
  revoke(handle: string, signal: AbortSignal): Promise<void>
  /**
   * Makes the credential's capability exactly this one, also while a session is on it: `extra` on top, for one approved
   * statement. Idempotent.
   * @throws SallyportError TARGET_UNREACHABLE, TARGET_ISSUER_FAILED; the credential then has the old one, the new one or both
   */
  assign(
    handle: string,
    capability: Capability,
    extra: readonly Capability[],
    signal: AbortSignal,
  ): Promise<void>
  /** All credentials on the target that bear this owner's name, or have expired under any owner's. */
  list(
    owner: string,
    signal: AbortSignal,
  ): Promise<readonly { handle: string; expiresAt: Date | undefined }[]>
  /** Drops shared capability roles of this owner that no credential uses and that are not in `keep`. Returns how many. */
  tidy(owner: string, keep: ReadonlySet<string>, signal: AbortSignal): Promise<number>
  /** What there is on the target, read with the issuer's account. */
  catalog(signal: AbortSignal): Promise<Catalog>
  /** Proves that the account can do its work; each failed step says what is missing and the SQL that mends it. */
  check(signal: AbortSignal): Promise<readonly { step: string; ok: boolean; detail: string; mend?: string }[]>
}
