import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ACTIONS } from '../access/model.ts'
import { ADMIN_ACTIONS } from './cedar-schema.ts'
import { ANNOTATIONS, readPolicies } from './read-policies.ts'
import type { ResourceProblem } from './resource-problem.ts'

const page = readFileSync(new URL('../../../../docs/reference/policy.md', import.meta.url), 'utf8')
const examples = [...page.matchAll(/^```cedar\n([^]*?)^```/gm)].map((match) => match[1] ?? '')

test.each(examples.map((text) => [text]))('the reference’s example is valid:\n%s', (text) => {
  const problems: ResourceProblem[] = []
  const policies = readPolicies([{ path: 'policy.md', text }], problems)
  expect(problems).toEqual([])
  expect(policies.length).toBeGreaterThan(0)
})

test('the reference names every action and annotation', () => {
  const words = [...ACTIONS, ...ADMIN_ACTIONS, ...ANNOTATIONS.map((name) => `@${name}`)]
  expect(words.filter((word) => !page.includes(`\`${word}\``))).toEqual([])
})
