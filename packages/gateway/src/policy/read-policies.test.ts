import { expect, test } from 'vitest'
import { readPolicies } from './read-policies.ts'
import { describe as described } from './resource-problem.ts'
import type { ResourceProblem } from './resource-problem.ts'

function problemsOf(...texts: readonly string[]): string {
  const problems: ResourceProblem[] = []
  const files = texts.map((text, i) => ({ path: `${i}.cedar`, text }))
  const policies = readPolicies(files, problems)
  expect(policies.length === 0 || problems.length === 0).toBe(true)
  return problems.map(described).join('\n')
}

const IDS = 'begin it with @id("…") of letters, digits, ".", "_", "/" and "-"'

test.each([
  ['permit (principal, action, resource);', `1:1: the policy has no @id (${IDS})`],
  ['// é\n  permit (principal, action, resource);', `2:3: the policy has no @id (${IDS})`],
  ['@id("a b") permit (principal, action, resource);', `1:1: @id("a b") is not a usable name (${IDS})`],
  [
    '@id("a")\n@aprovers("x")\npermit (principal, action, resource);',
    '2:1: unknown annotation @aprovers (did you mean "approvers"?)',
  ],
  [
    '@id("a") permit (principal == ?principal, action, resource);',
    '1:31: policy templates are not accepted (write the principal and the resource out)',
  ],
  [
    '@id("a")\npermit (principal, action == Action::"selct", resource);',
    '2:30: unrecognized action `Action::"selct"` in a (did you mean `Action::"select"`?)',
  ],
  [
    '@id("a") @reason("größe")\npermit (principal in Gruop::"x", action, resource);',
    '2:22: unrecognized entity type `Gruop` in a (did you mean `Group`?)',
  ],
  [
    '@id("a") permit (principal, action == Action::"select", resource)\n  when { context.statement.hasWher };',
    '2:10: attribute `statement.hasWher` in context for Action::"select" not found in a (did you mean `hasWhere`?)',
  ],
  [
    '@id("a") permit (principal, action == Action::"connect", resource) when { context.statement.multi };',
    '1:75: unable to guarantee safety of access to optional attribute',
  ],
  [
    '@id("a") forbid (principal, action == Action::"connect", resource in Table::"shop/public.x");',
    '1:1: policy is impossible',
  ],
  ['@id("a") permit (principal, action, resource)', '1:46: unexpected end of input'],
  ['@id("a") permit (principal, action, resource) when { "open };', '1:'],
])('refuses %j at its line and column', (text, problem) => {
  expect(problemsOf(text)).toContain(`0.cedar:${problem}`)
})

test('refuses an @id that another file has', () => {
  const text = '@id("a") permit (principal, action, resource);'
  expect(problemsOf(text, `\n${text}`)).toBe('1.cedar:2:1: @id("a") is already used at 0.cedar:1')
})

test('accepts the annotations that are for approvals', () => {
  const text = `@id("a") @approvers("group:dba") @quorum("1") @ttl("15m") @reason("r") @advice("b") @description("d")
forbid (principal, action in Action::"write", resource) unless { context has approval };`
  expect(problemsOf(text)).toBe('')
})

test('accepts tags on whatever an unconstrained policy may be asked about', () => {
  const text = `@id("a") forbid (principal, action, resource)
when { resource.hasTag("env") && resource.getTag("env") == "prod" && principal.hasTag("contractor") };`
  expect(problemsOf(text)).toBe('')
})
