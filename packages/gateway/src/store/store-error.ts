import { SallyportError } from '../access/errors.ts'
import { errorCode } from './error-code.ts'

/**
 * SQLSTATE classes that speak of the server and not of the statement: connection, authorization, resources, operator
 * intervention, system (PostgreSQL, appendix A). 55P03: a lock was not to be had in time. 55000: the database does not take
 * connections just now.
 */
const UNAVAILABLE = /^(08|28|3D|53|57|58|55P03|55000|25006)/

/** What a failed store operation is to its caller: our own errors as they are, everything else STORE_UNAVAILABLE. */
export function storeError(thrown: unknown): SallyportError {
  if (thrown instanceof SallyportError) return thrown
  const code = errorCode(thrown) ?? ''
  const fault = /^[0-9A-Z]{5}$/.test(code) && !UNAVAILABLE.test(code)
  if (fault) return SallyportError.from(thrown)
  return new SallyportError('STORE_UNAVAILABLE', 'the gateway cannot reach its database', {
    hint: 'nothing is let through until it is back; see the gateway log',
    cause: thrown,
  })
}

/** The same result, with `storeError` for every failure. */
export async function reached<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    throw storeError(thrown)
  }
}
