import { DatabaseError } from 'pg'
import { expect, test } from 'vitest'
import { sqlFailure } from './sql-failure.ts'

function error(fields: Partial<DatabaseError>): DatabaseError {
  return Object.assign(new DatabaseError('no', 0, 'error'), fields)
}

test.each([
  ['42501', 'Sallyport ACCESS_POLICY_DENIED, policy a, b, decision ses_1.2', 4, 'ACCESS_POLICY_DENIED'],
  [
    '42501',
    'Sallyport ACCESS_STATEMENT_OPAQUE, no policy permits it, decision ses_1.2',
    4,
    'ACCESS_STATEMENT_OPAQUE',
  ],
  ['28P01', 'Sallyport AUTH_TICKET_INVALID', 3, 'AUTH_TICKET_INVALID'],
  ['3D000', 'Sallyport TARGET_UNKNOWN', 2, 'TARGET_UNKNOWN'],
  ['08001', 'Sallyport TARGET_UNREACHABLE', 7, 'TARGET_UNREACHABLE'],
  ['42501', undefined, 4, 'TARGET_DENIED'],
  ['42P01', undefined, 1, 'SQLSTATE_42P01'],
  ['42P01', 'PL/pgSQL function f() line 1', 1, 'SQLSTATE_42P01'],
] as const)('SQLSTATE %s from %j: exit %i, %s', (code, where, exitCode, named) => {
  expect(sqlFailure(error({ code, ...(where === undefined ? {} : { where }) }), 'shop')).toMatchObject({
    exitCode,
    code: named,
  })
})

test('a denial names its policies and its decision', () => {
  const where = 'Sallyport ACCESS_POLICY_DENIED, policy a, b, decision ses_1.2'
  const { details } = sqlFailure(error({ code: '42501', where, hint: 'ask' }), 'shop')
  expect(details).toMatchObject({ policies: ['a', 'b'], decision: 'ses_1.2', hint: 'ask' })
})

test('a connection that ended counts as unreachable', () => {
  expect(sqlFailure(new Error('Connection terminated unexpectedly'), 'shop').exitCode).toBe(7)
})
