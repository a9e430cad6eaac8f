/** What the process's exit code says. Scripts rely on these numbers; `run` and `connect` pass on their child's instead. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  authentication: 3,
  denied: 4,
  approvalPending: 5,
  approvalRefused: 6,
  unreachable: 7,
  policyTestsFailed: 8,
  conflict: 9,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const BY_PREFIX: readonly (readonly [prefix: string, code: ExitCode])[] = [
  ['AUTH_', EXIT.authentication],
  ['ACCESS_', EXIT.denied],
  ['TARGET_UNKNOWN', EXIT.usage],
  ['TARGET_', EXIT.unreachable],
  ['APPROVAL_PENDING', EXIT.approvalPending],
  ['APPROVAL_DENIED', EXIT.approvalRefused],
  ['APPROVAL_EXPIRED', EXIT.approvalRefused],
  ['APPROVAL_CHANGED', EXIT.approvalRefused],
  ['APPROVAL_UNKNOWN', EXIT.usage],
  ['APPROVAL_DECIDED', EXIT.conflict],
  ['APPROVAL_NOT_YOURS', EXIT.denied],
  ['REVIEW_UNKNOWN', EXIT.usage],
  ['REVIEW_NOT_YOURS', EXIT.denied],
  ['REVIEW_CLOSED', EXIT.conflict],
  ['REVIEW_CHANGED', EXIT.conflict],
  ['SESSION_UNKNOWN', EXIT.usage],
  ['SESSION_ENDED', EXIT.conflict],
  ['LEASE_UNKNOWN', EXIT.usage],
  ['REQUEST_INVALID', EXIT.usage],
  ['RESOURCE_INVALID', EXIT.usage],
  ['CONFIG_INVALID', EXIT.usage],
  ['RESOURCE_CONFLICT', EXIT.conflict],
  ['POLICY_TESTS_FAILED', EXIT.policyTestsFailed],
  ['DECISION_UNKNOWN', EXIT.usage],
  ['STORE_UNAVAILABLE', EXIT.unreachable],
]

const BY_STATUS: Readonly<Record<number, ExitCode>> = {
  400: EXIT.usage,
  401: EXIT.authentication,
  403: EXIT.denied,
  404: EXIT.usage,
  409: EXIT.conflict,
  412: EXIT.conflict,
  422: EXIT.usage,
  502: EXIT.unreachable,
  503: EXIT.unreachable,
  504: EXIT.unreachable,
}

/** The exit code for a problem that the gateway answered with: by its code, or else by the HTTP status. */
export function exitCodeFor(problem: {
  readonly code?: string | undefined
  readonly status?: number | undefined
}): ExitCode {
  const known = BY_PREFIX.find(([prefix]) => problem.code?.startsWith(prefix))
  if (known) return known[1]
  return BY_STATUS[problem.status ?? 0] ?? EXIT.internal
}

/** The exit code for an SQLSTATE (PostgreSQL, appendix A) that came over the wire. */
export function exitCodeForSqlState(sqlstate: string): ExitCode {
  if (sqlstate === '42501') return EXIT.denied
  if (sqlstate.startsWith('28')) return EXIT.authentication
  if (sqlstate.startsWith('08')) return EXIT.unreachable
  return EXIT.internal
}
