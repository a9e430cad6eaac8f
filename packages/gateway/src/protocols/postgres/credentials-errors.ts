import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'

/** SQLSTATEs that are looked at (PostgreSQL, Appendix A). */
export const SQLSTATE = {
  undefinedObject: '42704',
  duplicateObject: '42710',
  dependentObjects: '2BP01',
  insufficientPrivilege: '42501',
} as const

/**
 * Two transactions touched the same catalog row, or each other's locks: doing it again is all that is needed.
 */
const PASSING = new Set(['40001', '40P01', '55P03', '23505'])

/**
 * What was to be granted or taken away has been dropped meanwhile, or is another one that the account may not pass on (yet):
 * looked at anew, it is left out.
 */
const GONE: ReadonlySet<string> = new Set(['42P01', '42703', '3F000', SQLSTATE.insufficientPrivilege])

/** Connection exceptions, insufficient resources, shutdowns and crashes. */
const UNREACHABLE = /^(?:08|53|57P)/

/** The SQLSTATE of what PostgreSQL answered; undefined when it is no answer of PostgreSQL's. */
export function sqlstateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Whether PostgreSQL closed the connection with it. */
export function isFatal(error: unknown): boolean {
  return error instanceof Error && 'severity' in error && error.severity !== 'ERROR'
}

/** Whether doing the same again can help at once. */
export function isPassing(error: unknown): boolean {
  const state = sqlstateOf(error)
  if (state === undefined) return false
  // Catalog rows have no retry of their own: XX000 is what two GRANTs on one table at the same time end in.
  return PASSING.has(state) || (state === 'XX000' && /concurrently (?:updated|deleted)/.test(String(error)))
}

/** The same for statements that are made anew each time from what is on the target. */
export function isPassingOrGone(error: unknown): boolean {
  return isPassing(error) || GONE.has(sqlstateOf(error) ?? '')
}

/**
 * What may be shown of a failure of the issuer's account. Its statements hold verifiers, so nothing of a
 * statement is kept: only PostgreSQL's message and SQLSTATE, in the cause.
 */
export function issuerError(target: Target, doing: string, error: unknown): SallyportError {
  if (error instanceof SallyportError) return error
  const state = sqlstateOf(error)
  const account = `the issuer account ${target.credentials.username} on ${target.name}`
  const said = error instanceof Error ? error.message : String(error)
  const cause = new Error(state === undefined ? said : `${said} (SQLSTATE ${state})`)
  if (state === undefined || UNREACHABLE.test(state)) {
    const { host, port } = target.address
    return new SallyportError(
      'TARGET_UNREACHABLE',
      `cannot ${doing}: ${target.name} (${host}:${port}): ${reason(error, said)}`,
      { hint: 'is the target running, and are its address and tls right?', cause },
    )
  }
  if (state.startsWith('28')) {
    return new SallyportError('TARGET_ISSUER_FAILED', `cannot ${doing}: ${account} cannot log in`, {
      hint: "check credentials.username and credentials.password, and the target's pg_hba.conf",
      cause,
    })
  }
  if (state === '3D000') {
    return new SallyportError('TARGET_ISSUER_FAILED', `cannot ${doing}: ${said}`, {
      hint: `check the "database" of the target ${target.name}`,
      cause,
    })
  }
  return new SallyportError('TARGET_ISSUER_FAILED', `cannot ${doing}: ${account} was refused: ${said}`, {
    hint: 'sallyport doctor says what the account lacks, and the SQL that mends it',
    cause,
  })
}

function reason(error: unknown, said: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ECONNREFUSED' ? 'connection refused' : said
}
