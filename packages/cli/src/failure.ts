import { styleText } from 'node:util'
import { ApiError, type FieldProblem, type FileProblem } from '@sallyport/api'
import { EXIT, exitCodeFor, type ExitCode } from './exit-codes.ts'

/** An error as the person or the script that called us is shown it. Holds no secret. */
export class CliFailure extends Error {
  readonly exitCode: ExitCode
  /** The gateway's error code, or one of ours where the gateway was never reached. */
  readonly code: string
  readonly details: FailureDetails

  /** @param message what failed */
  constructor(exitCode: ExitCode, code: string, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'CliFailure'
    this.exitCode = exitCode
    this.code = code
    this.details = details
  }
}

export interface FailureDetails {
  readonly why?: string | undefined
  /** Ids of the policies that determined a denial. */
  readonly policies?: readonly string[] | undefined
  /** `<session>.<number>`. */
  readonly decision?: string | undefined
  /** What to do about it. */
  readonly hint?: string | undefined
  readonly requestId?: string | undefined
  readonly status?: number | undefined
  readonly cause?: unknown
}

/** Usage errors: exit code 2. */
export function usage(message: string, hint?: string): CliFailure {
  return new CliFailure(EXIT.usage, 'USAGE', message, { hint })
}

/** What any thrown value is shown as. */
export function failureOf(thrown: unknown): CliFailure {
  if (thrown instanceof CliFailure) return thrown
  if (thrown instanceof ApiError) return apiFailure(thrown)
  const code = codeOf(thrown)
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new CliFailure(exitCodeFor({ code }), code, message, {
    why: systemText(thrown, message),
    hint: hintOf(thrown) ?? 'run it again with SALLYPORT_DEBUG=1 to see where it happened',
    cause: thrown,
  })
}

function apiFailure(error: ApiError): CliFailure {
  const { problem } = error
  const unanswered = ['GATEWAY_UNREACHABLE', 'GATEWAY_UNKNOWN'].includes(problem.code)
  const places = problem.errors?.map(placeText)
  // The detail of a list of files is that same list, in one text.
  const inFiles = problem.errors?.some((place) => 'file' in place) === true
  const message = inFiles ? 'the resources have mistakes' : problem.detail
  return new CliFailure(unanswered ? EXIT.unreachable : exitCodeFor(problem), problem.code, message, {
    why: places?.join('\n') ?? causeText(error.cause),
    policies: problem.policies,
    hint: problem.hint,
    requestId: problem.requestId === '' ? undefined : problem.requestId,
    status: problem.status === 0 ? undefined : problem.status,
    cause: error,
  })
}

function placeText(place: FileProblem | FieldProblem): string {
  if ('pointer' in place) return `${place.pointer}: ${place.message}`
  return `${place.file}:${place.line}:${place.column}  ${place.message}${place.hint ? `; ${place.hint}` : ''}`
}

/** What the system said: fetch hides it one cause deeper. */
function causeText(cause: unknown): string | undefined {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  return inner instanceof Error ? inner.message || codeOf(inner) : undefined
}

/** What the system or a PostgreSQL server said below one of our own errors: nothing else is sure to hold no secret. */
function systemText(thrown: unknown, message: string): string | undefined {
  const cause = propertyOf(thrown, 'cause')
  const said = propertyOf(cause, 'syscall') ?? propertyOf(cause, 'severity')
  const text = typeof said === 'string' ? causeText(cause) : undefined
  return text === undefined || message.includes(text) ? undefined : text
}

function codeOf(thrown: unknown): string {
  const code = propertyOf(thrown, 'code')
  return typeof code === 'string' ? code : 'INTERNAL'
}

/** A property of anything at all; undefined where there is none. */
export function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function hintOf(thrown: unknown): string | undefined {
  const hint = propertyOf(thrown, 'hint')
  return typeof hint === 'string' ? hint : undefined
}

/** For people: ✗ what, why, who decided, what to try. One line each, the later ones indented. */
export function failureText(failure: CliFailure, color: boolean): string {
  const { why, policies, decision, hint, requestId } = failure.details
  const paint = (style: 'red' | 'dim', text: string): string =>
    color ? styleText(style, text, { validateStream: false }) : text
  const rows: [label: string, value: string | undefined][] = [
    ['why', why],
    ['policy', policies && policies.length > 0 ? policies.join(', ') : undefined],
    ['decision', decision],
    ['try', hint],
    ['request', requestId],
  ]
  const known = rows.filter((row): row is [string, string] => row[1] !== undefined && row[1] !== '')
  const width = Math.max(0, ...known.map(([label]) => label.length))
  const lines = known.map(([label, value]) => {
    const indented = value.replaceAll('\n', `\n${' '.repeat(width + 4)}`)
    return `  ${paint('dim', label.padEnd(width))}  ${indented}`
  })
  return [`${paint('red', '✗')} ${failure.message}  ${paint('dim', `[${failure.code}]`)}`, ...lines, ''].join(
    '\n',
  )
}

/** For scripts: problem details (RFC 9457 §3) with our extension members, on one line. */
export function failureJson(failure: CliFailure): string {
  const { why, policies, decision, hint, requestId, status } = failure.details
  const problem = {
    type: `urn:sallyport:error:${failure.code.toLowerCase().replaceAll('_', '-')}`,
    title: failure.message,
    status,
    detail: why,
    code: failure.code,
    hint,
    requestId,
    policies,
    decision,
    exitCode: failure.exitCode,
  }
  return `${JSON.stringify(problem)}\n`
}
