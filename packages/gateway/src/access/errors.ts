/**
 * Every code that a person, a script or an agent can be shown. `docs/reference/errors.md` has a line for each; a test
 * keeps the two together. The prefix says which step of the path refused.
 */
export const ERROR_CODES = [
  'CONFIG_INVALID',
  'RESOURCE_INVALID',
  'RESOURCE_CONFLICT',
  'POLICY_TESTS_FAILED',
  'DECISION_UNKNOWN',
  'AUTH_REQUIRED',
  'AUTH_TOKEN_INVALID',
  'AUTH_TOKEN_EXPIRED',
  'AUTH_ISSUER_UNAVAILABLE',
  'AUTH_TICKET_INVALID',
  'AUTH_PLAINTEXT_REFUSED',
  'ACCESS_POLICY_DENIED',
  'ACCESS_POLICY_ERROR',
  'ACCESS_STATEMENT_OPAQUE',
  'ACCESS_OBLIGATION_UNMET',
  'APPROVAL_PENDING',
  'APPROVAL_DENIED',
  'APPROVAL_EXPIRED',
  'APPROVAL_CHANGED',
  'APPROVAL_UNKNOWN',
  'APPROVAL_DECIDED',
  'APPROVAL_NOT_YOURS',
  'REVIEW_UNKNOWN',
  'REVIEW_NOT_YOURS',
  'REVIEW_CLOSED',
  'REVIEW_CHANGED',
  'REQUEST_INVALID',
  'TARGET_UNKNOWN',
  'TARGET_UNREACHABLE',
  'TARGET_ISSUER_FAILED',
  'LEASE_FAILED',
  'LEASE_UNKNOWN',
  'SESSION_UNKNOWN',
  'SESSION_ENDED',
  'RECORDING_FAILED',
  'MASKING_FAILED',
  'STORE_UNAVAILABLE',
  'WIRE_MALFORMED',
  'WIRE_TOO_LARGE',
  'WIRE_UNSUPPORTED',
  'WIRE_TIMEOUT',
  'LIMIT_REACHED',
  'INTERNAL',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

/**
 * An error that may be shown to whoever asked. `message` says what and why, `hint` what to do; neither may hold a secret
 * or an internal detail: those go into `cause`, which is logged and never sent.
 */
export class SallyportError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.hint = options.hint
  }

  /** What may be shown of any thrown value: itself if it is ours, otherwise a bare INTERNAL that keeps it as cause. */
  static from(thrown: unknown): SallyportError {
    if (thrown instanceof SallyportError) return thrown
    return new SallyportError('INTERNAL', 'the gateway failed; its log has the reason', { cause: thrown })
  }
}

/** The proof of who is asking was missing, wrong or too old. */
export class AuthenticationFailed extends SallyportError {}

/** Policy, or the lack of one, said no. `policies` are the ids that determined it: empty means none permitted. */
export class AccessDenied extends SallyportError {
  readonly policies: readonly string[]

  constructor(
    code:
      | 'ACCESS_POLICY_DENIED'
      | 'ACCESS_POLICY_ERROR'
      | 'ACCESS_STATEMENT_OPAQUE'
      | 'ACCESS_OBLIGATION_UNMET',
    message: string,
    options: { hint?: string; policies?: readonly string[]; cause?: unknown } = {},
  ) {
    super(code, message, options)
    this.policies = options.policies ?? []
  }
}
