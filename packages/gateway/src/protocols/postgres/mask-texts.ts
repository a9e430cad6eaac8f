import { decodeErrorFields, encodeFields } from './messages.ts'

/**
 * Fields of errors and notices that cannot quote a value: severity, SQLSTATE, the position in the client's own text, and
 * where in PostgreSQL's source they were raised ("Error and Notice Message Fields").
 */
const KEPT = ['S', 'V', 'C', 'P', 'F', 'L', 'R'] as const

/** What a SQLSTATE's first two characters say ("PostgreSQL Error Codes"). */
const CLASSES: Readonly<Record<string, string>> = {
  '00': 'completed',
  '01': 'a warning',
  '02': 'no data',
  '08': 'a connection failed',
  '0A': 'a feature is not supported',
  '20': 'a CASE has no branch for a value',
  '21': 'a subquery returned more than one row',
  '22': 'a value is not valid where it was used',
  '23': 'a constraint was violated',
  '24': 'a cursor is in the wrong state',
  '25': 'the transaction is in the wrong state',
  '26': 'a prepared statement does not exist',
  '28': 'the role is not authorized',
  '34': 'a cursor does not exist',
  '38': 'a function failed',
  '39': 'a function was called wrongly',
  '3B': 'a savepoint is wrong',
  '3D': 'a database does not exist',
  '3F': 'a schema does not exist',
  '40': 'the transaction was rolled back; it can be tried again',
  '42': 'the statement is wrong, or the role may not run it',
  '44': 'WITH CHECK OPTION was violated',
  '53': 'the target is out of resources',
  '54': 'a limit of the target was exceeded',
  '55': 'an object is not in the right state',
  '57': 'an operator of the target intervened',
  '58': 'the system of the target failed',
  P0: 'a function raised it',
  XX: 'the target failed inside',
}

/** Conditions that one meets often, and would look for in vain under their class alone. */
const CONDITIONS: Readonly<Record<string, string>> = {
  '22001': 'a text is too long for its type',
  '22003': 'a number is out of range',
  '22007': 'a date or time is not valid',
  '22008': 'a date or time is out of range',
  '22012': 'division by zero',
  '22P02': 'a text is not valid for the type that it was cast to',
  '23502': 'a column may not be null',
  '23503': 'a foreign key was violated',
  '23505': 'a unique constraint was violated',
  '23514': 'a check constraint was violated',
  '25P02': 'the transaction has failed; roll it back',
  '40001': 'the transaction could not be serialized; try it again',
  '40P01': 'a deadlock was found; try it again',
  '42501': 'the role may not do this',
  '42601': 'syntax error',
  '42703': 'a column does not exist',
  '42804': 'types do not fit',
  '42883': 'a function or operator does not exist for these types',
  '42P01': 'a relation does not exist',
  '55P03': 'a lock is not available',
  '57014': 'the statement was cancelled',
}

/**
 * An ErrorResponse or NoticeResponse that says what happened by its SQLSTATE alone.
 * @param type of the message, which keeps it
 * @param decisionId under which the recording has the statement
 */
export function withoutTexts(
  type: number,
  bytes: Buffer,
  start: number,
  end: number,
  decisionId: string,
): Buffer {
  const fields = decodeErrorFields(bytes, start, end)
  const sqlstate = fields.get('C') ?? ''
  const what = CONDITIONS[sqlstate] ?? CLASSES[sqlstate.slice(0, 2)] ?? 'it is not known what happened'
  const kept = KEPT.flatMap((code): [string, string][] => {
    const value = fields.get(code)
    return value === undefined ? [] : [[code, value]]
  })
  return encodeFields(type, [
    ...kept,
    ['M', `${what} (the target's own text is hidden: it may quote values that are masked)`],
    ['H', `see the SQLSTATE, ${sqlstate}; a statement that reads no masked columns gets the whole text`],
    ['W', `Sallyport decision ${decisionId}`],
  ])
}
