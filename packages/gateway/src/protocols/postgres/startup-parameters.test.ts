import { expect, test } from 'vitest'
import { readStartupParameters } from './startup-parameters.ts'

const LONG = 'x'.repeat(257)

test.each(['database', 'application_name'])('a %s that is no name is refused', (name) => {
  const parameters = new Map([
    ['user', 'ana'],
    [name, LONG],
  ])
  expect(() => readStartupParameters(parameters)).toThrow('longer than 256')
})

test('without a database it is the user that names the target, as PostgreSQL has it', () => {
  expect(readStartupParameters(new Map([['user', 'shop']])).database).toBe('shop')
  expect(readStartupParameters(new Map([['user', LONG]])).database).toHaveLength(256)
})
