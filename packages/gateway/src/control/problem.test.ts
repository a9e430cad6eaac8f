import { Problem } from '@sallyport/api'
import { expect, test } from 'vitest'
import { AccessDenied, ERROR_CODES, SallyportError } from '../access/errors.ts'
import { ResourcesInvalid } from '../policy/resource-problem.ts'
import { problemOf, RequestInvalid } from './problem.ts'

test.each(ERROR_CODES)('%s is a problem with a status and a title', (code) => {
  const problem = problemOf(new SallyportError(code, 'what failed', { hint: 'what to do' }), 'req_1')
  expect(Problem.parse(problem)).toEqual({
    type: `urn:sallyport:error:${code.toLowerCase().replaceAll('_', '-')}`,
    title: expect.any(String),
    status: expect.any(Number),
    detail: 'what failed',
    code,
    hint: 'what to do',
    requestId: 'req_1',
  })
  expect(problem.status).toBeGreaterThanOrEqual(400)
})

test.each([
  [new AccessDenied('ACCESS_POLICY_DENIED', 'no', { policies: ['a', 'b'] }), 403, { policies: ['a', 'b'] }],
  [
    new ResourcesInvalid([{ path: 'a.cedar', line: 3, column: 9, message: 'unexpected token' }]),
    422,
    { errors: [{ file: 'a.cedar', line: 3, column: 9, message: 'unexpected token' }] },
  ],
  [
    new RequestInvalid('not valid', { errors: [{ pointer: '/ttl', message: 'is too long' }] }),
    400,
    { errors: [{ pointer: '/ttl', message: 'is too long' }] },
  ],
  [new RequestInvalid('not possible', { status: 405 }), 405, {}],
])('%s has the members of its kind', (error, status, members) => {
  expect(problemOf(error, 'req_1')).toMatchObject({ status, ...members })
})

test('the cause of an error is not shown', () => {
  const problem = problemOf(SallyportError.from(new Error('password=hunter2')), 'req_1')
  expect(JSON.stringify(problem)).not.toContain('hunter2')
})
