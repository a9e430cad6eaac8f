import type { CallToolResult } from '@modelcontextprotocol/server'
import { DatabaseError } from 'pg'
import { AccessDenied, SallyportError } from '../../access/errors.ts'

/** Why a call failed, as an agent is told. */
export interface ToolFailure {
  /** `deny`: policy said no. `permit`: the statement was let through, and the database refused it. */
  readonly effect: 'permit' | 'deny' | 'none'
  /** One of our codes, or the database's SQLSTATE. */
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly policies: readonly string[]
  /** `<session>.<number>`: what `sallyport policy explain` is asked about. */
  readonly decisionId?: string
}

/** How the gateway marks its own errors among PostgreSQL's: the error's "where" field. */
const WHERE = /^Sallyport ([A-Z_]+)(?:, (?:policy (.+)|no policy permits it), decision (\S+))?$/

/** Refusals that say nothing about whether the statement may run. */
const ASK_AGAIN: ReadonlySet<string> = new Set(['APPROVAL_EXPIRED', 'APPROVAL_CHANGED'])

/** Any thrown value. What is neither ours nor the database's is not shown. */
export function failureOf(thrown: unknown): ToolFailure {
  if (!(thrown instanceof DatabaseError)) {
    const error = SallyportError.from(thrown)
    const denied = error instanceof AccessDenied
    return {
      effect: denied ? 'deny' : 'none',
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      policies: denied ? error.policies : [],
    }
  }
  const hint = thrown.hint === undefined ? {} : { hint: thrown.hint }
  const ours = WHERE.exec(thrown.where ?? '')
  if (ours === null) {
    const detail = thrown.detail === undefined ? '' : ` (${thrown.detail})`
    const at = thrown.position === undefined ? '' : ` at character ${thrown.position}`
    const message = `${thrown.message}${detail}${at}`
    return { effect: 'permit', code: thrown.code ?? 'XX000', message, ...hint, policies: [] }
  }
  const [, code = 'INTERNAL', policies, decisionId] = ours
  return {
    effect: code.startsWith('ACCESS_') || code.startsWith('APPROVAL_') ? 'deny' : 'none',
    code,
    message: thrown.message,
    ...hint,
    policies: policies?.split(', ') ?? [],
    ...(decisionId === undefined ? {} : { decisionId }),
  }
}

/** For the model: what, why, who decided, and what to do instead of trying the same again. */
export function failureText(failure: ToolFailure, requestId: string): string {
  const { effect, code, message, hint, policies, decisionId } = failure
  const lines = [
    effect === 'deny'
      ? `DENIED [${code}]: ${message}`
      : `${effect === 'permit' ? 'The database refused it' : 'FAILED'} [${code}]: ${message}`,
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
    ...(policies.length === 0 ? [] : [`policy: ${policies.join(', ')}`]),
    ...(decisionId === undefined ? [] : [`decision: ${decisionId}`]),
    `request: ${requestId}`,
  ]
  if (ASK_AGAIN.has(code)) {
    lines.push('Nothing was decided against it: the same call asks people again, if it is still wanted.')
  } else if (effect === 'deny') {
    lines.push(
      'Do not retry this unchanged, and do not look for another way to the same data: it is the operation that is not ' +
        'permitted. Do what is permitted (describe_target shows what you may read), or tell the user what was refused.',
    )
  }
  return lines.join('\n')
}

/** A failure without a structured result of its own. */
export function failedCall(thrown: unknown, requestId: string): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: failureText(failureOf(thrown), requestId) }] }
}
