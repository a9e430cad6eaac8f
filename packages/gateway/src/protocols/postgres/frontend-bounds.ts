import { SallyportError } from '../../access/errors.ts'

/** A statement that people or programs write is shorter; data belongs into parameters or COPY. */
export const MAX_STATEMENT = 1024 * 1024

/** A Bind message up to this long is looked at whole, for the recording; of a longer one only the names are. */
export const MAX_RECORDED_BIND = 8192

/** Portal and statement names: PostgreSQL cuts them at 63 bytes. */
export const MAX_NAMES = 1024

/** Messages whose body nobody needs but that are never long (Describe, Close, Execute, …); PostgreSQL's own bound. */
export const MAX_SMALL_MESSAGE = 10_000

/** Why a name is refused that `isUsableName` does not take. */
export const UNUSABLE_NAME = 'the name of a statement or portal is longer than 63 bytes, or not UTF-8'

/** Why a statement of so many bytes is refused. */
export function tooLong(bytes: number): string {
  return `the statement is ${bytes} bytes long, and ${MAX_STATEMENT} are read at the most`
}

/** What the client sent is not the protocol, which ends the session. */
export function malformed(why: string): SallyportError {
  return new SallyportError('WIRE_MALFORMED', why)
}
