import { expect, test } from 'vitest'
import { childEnvironment, type ChildTarget, urlVariable } from './child-environment.ts'

const target: ChildTarget = {
  name: 'shop',
  host: '127.0.0.1',
  port: 5000,
  database: 'shop',
  user: 'ana',
  password: 'spt_a/b',
}

test.each([
  ['shop', 'SALLYPORT_SHOP_URL'],
  ['billing-db', 'SALLYPORT_BILLING_DB_URL'],
  ['eu.west', 'SALLYPORT_EU_WEST_URL'],
])('the address of %s is in %s', (name, variable) => {
  expect(urlVariable(name)).toBe(variable)
})

test('what has a meaning in URLs is escaped', () => {
  expect(childEnvironment({}, [target], [])['DATABASE_URL']).toBe(
    'postgresql://ana:spt_a%2Fb@127.0.0.1:5000/shop?sslmode=disable',
  )
})

test('the first target is the one of PGHOST and DATABASE_URL', () => {
  const environment = childEnvironment({}, [target, { ...target, name: 'other', port: 6000 }], [])
  expect(environment['PGPORT']).toBe('5000')
  expect(environment['SALLYPORT_OTHER_URL']).toContain(':6000/')
})

test('the token never reaches the child, whatever is stripped besides', () => {
  const ambient = { SALLYPORT_TOKEN: 't', SALLYPORT_TOKEN_FILE: '/t', SALLYPORT_URL: 'http://x' }
  const environment = childEnvironment(ambient, [target], [])
  expect(environment).not.toHaveProperty('SALLYPORT_TOKEN')
  expect(environment).not.toHaveProperty('SALLYPORT_TOKEN_FILE')
  expect(environment['SALLYPORT_URL']).toBe('http://x')
})

test('a stripped name is that name only; with * it is all that begin so', () => {
  const ambient = { KEY: '1', KEY_2: '2', AWS_A: '3', AWS_B: '4', MY_AWS_A: '5' }
  expect(childEnvironment(ambient, [], ['KEY', 'AWS_*'])).toEqual({ KEY_2: '2', MY_AWS_A: '5' })
})

test.each(['', 'A-B', 'A*B', '*', '1A'])('%j is not the name of a variable', (name) => {
  expect(() => childEnvironment({}, [target], [name])).toThrow('not the name of an environment variable')
})

test('two targets may not share a variable', () => {
  const targets = [target, { ...target, name: 'SHOP' }]
  expect(() => childEnvironment({}, targets, [])).toThrow('SALLYPORT_SHOP_URL')
})
