import { describe, expect, test } from 'vitest'
import { SallyportError } from '../access/errors.ts'
import { Secret } from '../access/secret.ts'
import { ResourcesInvalid } from './resource-problem.ts'
import { readResources } from './resources.ts'

const TARGET = `kind: Target
name: shop
protocol: postgres
address: 127.0.0.1:5432
database: shop
tls: disable
tags: { env: prod }
credentials: { issuer: postgres-role, username: sallyport_issuer, password: { env: PW }, ttl: 20m }
`
const resolve = (ref: { env: string } | { file: string }) => {
  if ('env' in ref && ref.env === 'PW') return new Secret('hunter2')
  throw new SallyportError('CONFIG_INVALID', 'the variable MISSING is not set', { hint: 'set it' })
}
const read = (text: string, path = 'targets.yaml') => readResources([{ path, text }], resolve)

function problemsOf(text: string, path = 'targets.yaml'): string {
  try {
    read(text, path)
  } catch (thrown) {
    if (thrown instanceof ResourcesInvalid) return thrown.message
    throw thrown
  }
  return 'no problem'
}

describe('a target', () => {
  test('is read with its secret resolved and its durations in seconds', () => {
    const target = read(TARGET).targets.get('shop')
    expect(target).toMatchObject({
      name: 'shop',
      address: { host: '127.0.0.1', port: 5432 },
      tls: { mode: 'disable' },
      tags: { env: 'prod' },
      recording: 'written',
      credentials: { username: 'sallyport_issuer', ttlSeconds: 1200, prewarm: 2 },
    })
    expect(target?.credentials.password.reveal()).toBe('hunter2')
  })

  test('verifies its certificate unless told otherwise', () => {
    expect(read(TARGET.replace('tls: disable\n', '')).targets.get('shop')?.tls).toEqual({
      mode: 'verify-full',
    })
  })

  test('may bring its own authorities', () => {
    const text = TARGET.replace('tls: disable', 'tls: { mode: verify-full, ca: { env: PW } }')
    expect(read(text).targets.get('shop')?.tls).toEqual({ mode: 'verify-full', ca: 'hunter2' })
  })

  test('may have an IPv6 address', () => {
    const text = TARGET.replace('127.0.0.1:5432', '"[::1]:5433"')
    expect(read(text).targets.get('shop')?.address).toEqual({ host: '::1', port: 5433 })
  })

  test.each([
    ['databse: shop', 'database: shop', '5:1: unknown key "databse" (did you mean "database"?)'],
    ['name: Shop', 'name: shop', '2:7: "name": must be 1 to 63'],
    ['address: 127.0.0.1', 'address: 127.0.0.1:5432', '4:10: "address": must be "host:port"'],
    ['address: h:70000', 'address: 127.0.0.1:5432', '4:10: "address": must be "host:port"'],
    ['address: u:p@h:1', 'address: 127.0.0.1:5432', '4:10: "address": must be "host:port"'],
    ['', 'database: shop\n', '1:1: "database" is missing'],
    ['tls: off', 'tls: disable', '6:6: "tls.mode": Invalid option'],
    ['tags: { env: 1 }', 'tags: { env: prod }', '7:14: "tags.env": must be a text: put it in quotes'],
    ['protocol: oracle', 'protocol: postgres', '3:11: "protocol": Invalid input: expected "postgres"'],
    [
      '{ env: MISSING }',
      '{ env: PW }',
      '8:77: "credentials.password": the variable MISSING is not set (set it)',
    ],
    ['{ env: PW, file: x }', '{ env: PW }', '8:77: "credentials.password": must have either'],
    ['password: { evn: PW }', 'password: { env: PW }', '8:79: unknown key "evn" (did you mean "env"?)'],
    ['ttl: 15', 'ttl: 20m', '8:95: "credentials.ttl": Invalid input: expected string'],
    ['ttl: 25h', 'ttl: 20m', '8:95: "credentials.ttl": must be between 30s and 24h'],
    ['kind: Tagret', 'kind: Target', '1:7: unknown kind "Tagret" (did you mean "Target"?)'],
  ])('with "%s" for "%s" is refused at its line and column', (wrong, right, problem) => {
    expect(problemsOf(TARGET.replace(right, wrong))).toContain(`targets.yaml:${problem}`)
  })

  test('may not be there twice', () => {
    const message = 'targets.yaml:11:7: there is already a Target named "shop"'
    expect(problemsOf(`${TARGET}---\n${TARGET}`)).toBe(message)
  })
})

test('reads several documents, data classes and classifications among them', () => {
  const text = `${TARGET}---
kind: Classification
target: shop
fields:
  - { field: public.customers.email, class: pii.email }
---
kind: DataClass
name: pii.email
mask: partial
---
`
  const resources = read(text)
  expect(resources.classifications).toHaveLength(1)
  expect(resources.dataClasses.get('pii.email')?.mask?.method).toBe('partial')
  expect(resources.fields.get('shop')?.of('public', 'customers', 'email')).toEqual([{ name: 'pii.email' }])
})

test('names the target that a classification probably meant', () => {
  const text = `${TARGET}---\nkind: Classification\ntarget: shpo\nfields: [{ field: a.b.c, class: pii }]\n`
  expect(problemsOf(text)).toContain('11:9: there is no target "shpo" (did you mean "shop"?)')
})

test('reports YAML that cannot be read, with its line', () => {
  expect(problemsOf('kind: Target\nname: [')).toMatch(/^targets\.yaml:2:\d+: /)
})

test('reports all problems of all files at once', () => {
  const files = [
    { path: 'a.yaml', text: 'kind: Target\n' },
    { path: 'b.cedar', text: 'permit (principal, action, resource);' },
    { path: 'c.ceder', text: 'forbid (principal, action, resource);' },
  ]
  expect(() => readResources(files, resolve)).toThrow(
    expect.objectContaining({
      code: 'RESOURCE_INVALID',
      message: expect.stringMatching(/a\.yaml:1:1:[^]*c\.ceder:1:1:[^]*b\.cedar:1:1:/),
    }),
  )
})

test('shows no secret in what it throws or returns', () => {
  expect(JSON.stringify([...read(TARGET).targets.values()])).not.toContain('hunter2')
})

test('refuses aliases that multiply without end', () => {
  const bomb = `kind: Target\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n`
  expect(problemsOf(bomb)).not.toBe('no problem')
})

describe('a data class', () => {
  const maskOf = (mask: string) =>
    read(`kind: DataClass\nname: pii.test\n${mask}`).dataClasses.get('pii.test')?.mask

  test.each([
    ['', undefined],
    ['mask: token', { method: 'token' }],
    ['mask: partial', { method: 'partial', keep: 'last4' }],
    ['mask: { method: partial, keep: domain }', { method: 'partial', keep: 'domain' }],
    ['mask: truncate', { method: 'truncate', to: 'year' }],
    ['mask: { method: bucket, size: 10000 }', { method: 'bucket', size: 10_000 }],
  ])('says how it is masked: "%s"', (mask, expected) => {
    expect(maskOf(mask)).toEqual(expected)
  })

  test.each([
    'mask: blur',
    'mask: bucket',
    'mask: { method: bucket, size: 0 }',
    'mask: { method: hash, keep: last4 }',
  ])('is refused with "%s"', (mask) => {
    expect(problemsOf(`kind: DataClass\nname: pii.test\n${mask}`)).not.toBe('no problem')
  })
})

describe('the patterns of a data class', () => {
  const withPattern = (pattern: string) => `kind: DataClass\nname: crm.number\npatterns: ['${pattern}']\n`

  test('are kept with its name', () => {
    expect(read(withPattern('K-[0-9]{6}')).patterns).toEqual([
      { dataClass: 'crm.number', pattern: 'K-[0-9]{6}' },
    ])
  })

  test.each(['(a', '(?=a)', 'a*'])(
    'are refused when they cannot be matched in linear time: %s',
    (pattern) => {
      expect(problemsOf(withPattern(pattern))).toMatch(/cannot be read|matches the empty text/)
    },
  )
})
