import { STATUS_CODES } from 'node:http'
import type { FieldProblem, FileProblem, Problem } from '@sallyport/api'
import { AccessDenied, type ErrorCode, SallyportError } from '../access/errors.ts'
import { ResourcesInvalid } from '../policy/resource-problem.ts'
import { describeCase, PolicyTestsFailed } from '../policy/policy-tests-failed.ts'

/** HTTP status by what happened (RFC 9110 §15). A table and no default: a new code must be thought about here. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  CONFIG_INVALID: 500,
  RESOURCE_INVALID: 422,
  RESOURCE_CONFLICT: 409,
  POLICY_TESTS_FAILED: 422,
  DECISION_UNKNOWN: 404,
  AUTH_REQUIRED: 401,
  AUTH_TOKEN_INVALID: 401,
  AUTH_TOKEN_EXPIRED: 401,
  AUTH_ISSUER_UNAVAILABLE: 503,
  AUTH_TICKET_INVALID: 401,
  AUTH_PLAINTEXT_REFUSED: 403,
  ACCESS_POLICY_DENIED: 403,
  ACCESS_POLICY_ERROR: 403,
  ACCESS_STATEMENT_OPAQUE: 403,
  ACCESS_OBLIGATION_UNMET: 403,
  APPROVAL_PENDING: 403,
  APPROVAL_DENIED: 403,
  APPROVAL_EXPIRED: 403,
  APPROVAL_CHANGED: 409,
  APPROVAL_UNKNOWN: 404,
  APPROVAL_DECIDED: 409,
  APPROVAL_NOT_YOURS: 403,
  REVIEW_UNKNOWN: 404,
  REVIEW_NOT_YOURS: 403,
  REVIEW_CLOSED: 409,
  REVIEW_CHANGED: 409,
  REQUEST_INVALID: 400,
  TARGET_UNKNOWN: 404,
  TARGET_UNREACHABLE: 502,
  TARGET_ISSUER_FAILED: 502,
  LEASE_FAILED: 502,
  LEASE_UNKNOWN: 404,
  SESSION_UNKNOWN: 404,
  SESSION_ENDED: 409,
  RECORDING_FAILED: 503,
  MASKING_FAILED: 500,
  STORE_UNAVAILABLE: 503,
  WIRE_MALFORMED: 400,
  WIRE_TOO_LARGE: 413,
  WIRE_UNSUPPORTED: 400,
  WIRE_TIMEOUT: 504,
  LIMIT_REACHED: 429,
  INTERNAL: 500,
}

/** A request that is wrong in a way HTTP has a status of its own for, or in members that can be named. */
export class RequestInvalid extends SallyportError {
  readonly status: number
  readonly errors: readonly FieldProblem[]

  constructor(
    message: string,
    options: { status?: number; errors?: readonly FieldProblem[]; hint?: string } = {},
  ) {
    super('REQUEST_INVALID', message, options.hint === undefined ? {} : { hint: options.hint })
    this.status = options.status ?? STATUS.REQUEST_INVALID
    this.errors = options.errors ?? []
  }
}

/** Problem details (RFC 9457) of any error that may be shown. Its cause stays here. */
export function problemOf(error: SallyportError, requestId: string): Problem {
  const status = error instanceof RequestInvalid ? error.status : STATUS[error.code]
  const errors = problemsOf(error)
  return {
    type: `urn:sallyport:error:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: error.message,
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    requestId,
    ...(error instanceof AccessDenied ? { policies: [...error.policies] } : {}),
    ...(errors.length === 0 ? {} : { errors }),
  }
}

function problemsOf(error: SallyportError): (FileProblem | FieldProblem)[] {
  if (error instanceof ResourcesInvalid) return fileProblems(error)
  return error instanceof PolicyTestsFailed ? failedCases(error) : fieldProblems(error)
}

function failedCases({ results }: PolicyTestsFailed): FileProblem[] {
  return results
    .filter(({ differences }) => differences.length > 0)
    .map((result) => ({ file: result.path, line: result.line, column: 1, message: describeCase(result) }))
}

function fileProblems({ problems }: ResourcesInvalid): FileProblem[] {
  return problems.map(({ path, ...problem }) => ({ file: path, ...problem }))
}

function fieldProblems(error: SallyportError): FieldProblem[] {
  return error instanceof RequestInvalid ? [...error.errors] : []
}
