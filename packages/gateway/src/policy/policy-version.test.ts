import { expect, test } from 'vitest'
import { Secret } from '../access/secret.ts'
import { policyVersion } from './policy-version.ts'
import { readResources } from './resources.ts'

const POLICY = '@id("a") permit (principal, action, resource);'
const target = (tags: string, password = 'P'): string => `kind: Target
name: shop
protocol: postgres
address: 127.0.0.1:5432
database: shop
tls: disable
tags: ${tags}
credentials: { issuer: postgres-role, username: u, password: { env: ${password} }, ttl: 15m }
`
const versionOf = (files: Readonly<Record<string, string>>, secret = 's'): string =>
  policyVersion(
    readResources(
      Object.entries(files).map(([path, text]) => ({ path, text })),
      () => new Secret(secret),
    ),
  )
const files = { 'a.cedar': POLICY, 't.yaml': target('{ env: prod }') }

test.each<[string, Readonly<Record<string, string>>]>([
  ['another policy', { ...files, 'a.cedar': POLICY.replace('permit', 'forbid') }],
  ['a policy more', { ...files, 'b.cedar': '@id("b") forbid (principal, action, resource);' }],
  ['another tag', { ...files, 't.yaml': target('{ env: test }') }],
  ['another address', { ...files, 't.yaml': target('{ env: prod }').replace('5432', '5433') }],
])('%s is another version', (_, changed) => {
  expect(versionOf(changed)).not.toBe(versionOf(files))
})

test('the same rules are one version, in whatever order and with whatever secrets', () => {
  const turned = Object.fromEntries(Object.entries(files).toReversed())
  expect(versionOf(turned, 'another secret')).toBe(versionOf(files))
  expect(versionOf(files)).toMatch(/^[0-9a-f]{32}$/)
})
