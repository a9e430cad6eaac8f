import { DatabaseError } from 'pg'
import { expect, test } from 'vitest'
import { AccessDenied, SallyportError } from '../../access/errors.ts'
import { failureOf, failureText } from './tool-failure.ts'

function databaseError(fields: Partial<DatabaseError>): DatabaseError {
  return Object.assign(new DatabaseError(fields.message ?? 'no', 0, 'error'), fields)
}

test.each([
  [
    'a denial with policies',
    databaseError({
      code: '42501',
      message: 'denied by policy: drop is not permitted',
      hint: 'ask a dba',
      where: 'Sallyport ACCESS_POLICY_DENIED, policy no-ddl, no-drop, decision ses_1.4',
    }),
    {
      effect: 'deny',
      code: 'ACCESS_POLICY_DENIED',
      message: 'denied by policy: drop is not permitted',
      hint: 'ask a dba',
      policies: ['no-ddl', 'no-drop'],
      decisionId: 'ses_1.4',
    },
  ],
  [
    'a denial by default',
    databaseError({
      code: '42501',
      where: 'Sallyport ACCESS_POLICY_DENIED, no policy permits it, decision ses_1.0',
    }),
    { effect: 'deny', code: 'ACCESS_POLICY_DENIED', policies: [], decisionId: 'ses_1.0' },
  ],
  [
    'a refusal before the session',
    databaseError({ code: '08001', where: 'Sallyport TARGET_UNREACHABLE' }),
    { effect: 'none', code: 'TARGET_UNREACHABLE', policies: [] },
  ],
  [
    "the database's own refusal",
    databaseError({ code: '42501', message: 'permission denied for table t' }),
    { effect: 'permit', code: '42501', message: 'permission denied for table t', policies: [] },
  ],
  [
    'an error at a place',
    databaseError({ code: '42P01', message: 'relation "x" does not exist', position: '15' }),
    { effect: 'permit', code: '42P01', message: 'relation "x" does not exist at character 15' },
  ],
  [
    'a text that only looks like ours',
    databaseError({ code: 'P0001', where: 'PL/pgSQL function f() Sallyport ACCESS_POLICY_DENIED' }),
    { effect: 'permit', code: 'P0001' },
  ],
  [
    'a denial that was thrown',
    new AccessDenied('ACCESS_POLICY_DENIED', 'closed', { policies: ['a'] }),
    { effect: 'deny', code: 'ACCESS_POLICY_DENIED', policies: ['a'] },
  ],
  [
    'an error of ours',
    new SallyportError('TARGET_UNKNOWN', 'no'),
    { effect: 'none', code: 'TARGET_UNKNOWN' },
  ],
  ['anything else', new Error('hunter2'), { effect: 'none', code: 'INTERNAL', policies: [] }],
])('%s is understood', (_, thrown, expected) => {
  expect(failureOf(thrown)).toMatchObject(expected)
})

test('a denial tells the model what, why, who decided, and not to try again', () => {
  const failure = {
    effect: 'deny',
    code: 'ACCESS_POLICY_DENIED',
    message: 'drop is not permitted',
    hint: 'ask a dba',
    policies: ['no-ddl'],
    decisionId: 'ses_1.4',
  } as const
  expect(failureText(failure, 'req_1').split('\n')).toEqual([
    'DENIED [ACCESS_POLICY_DENIED]: drop is not permitted',
    'hint: ask a dba',
    'policy: no-ddl',
    'decision: ses_1.4',
    'request: req_1',
    expect.stringContaining('Do not retry this unchanged'),
  ])
})

test('a cause is not told', () => {
  expect(failureText(failureOf(new Error('hunter2')), 'req_1')).not.toContain('hunter2')
})
