import { DatabaseError } from 'pg'
import { EXIT, type ExitCode, exitCodeFor, exitCodeForSqlState } from './exit-codes.ts'
import { CliFailure } from './failure.ts'

/** "Where" of the gateway's own errors: `Sallyport CODE, policy a, b, decision ses_….3`. */
const OURS = /^Sallyport ([A-Z_]+)(?:, (?:policy (.+?)|no policy permits it))?(?:, decision (\S+))?$/

const NAMES: Partial<Record<ExitCode, string>> = {
  [EXIT.denied]: 'TARGET_DENIED',
  [EXIT.authentication]: 'AUTH_REQUIRED',
  [EXIT.unreachable]: 'TARGET_UNREACHABLE',
}

/** What PostgreSQL's error fields say, as our errors: from the gateway, or passed on from the target. */
export function sqlFailure(error: unknown, target: string): CliFailure {
  if (!(error instanceof DatabaseError)) return connectionLost(error, target)
  const sqlstate = error.code ?? ''
  const [, code, policies, decision] = OURS.exec(error.where ?? '') ?? []
  if (code === undefined) {
    const exitCode = exitCodeForSqlState(sqlstate)
    return new CliFailure(
      exitCode,
      NAMES[exitCode] ?? `SQLSTATE_${sqlstate}`,
      `${target}: ${error.message}`,
      {
        why: error.detail,
        hint: error.hint,
        cause: error,
      },
    )
  }
  const byCode = exitCodeFor({ code })
  return new CliFailure(
    byCode === EXIT.internal ? exitCodeForSqlState(sqlstate) : byCode,
    code,
    error.message,
    {
      policies: policies?.split(', '),
      decision,
      hint: error.hint,
      cause: error,
    },
  )
}

function connectionLost(error: unknown, target: string): CliFailure {
  if (error instanceof CliFailure) return error
  return new CliFailure(EXIT.unreachable, 'CONNECTION_LOST', `the connection to ${target} ended`, {
    why: error instanceof Error ? error.message : String(error),
    hint: 'see whether the session was ended: sallyport sessions list',
    cause: error,
  })
}
