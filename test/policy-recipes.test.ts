import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { testResources } from '../packages/gateway/src/main.ts'
import { describeCase } from '../packages/gateway/src/policy/policy-tests-failed.ts'

const RECIPES = new URL('../docs/policies/', import.meta.url)
const pages = readdirSync(RECIPES).filter((name) => name.endsWith('.md') && name !== 'README.md')

/** The blocks of a page as the files that its reader makes of them. */
function filesOf(page: string) {
  const text = readFileSync(new URL(page, RECIPES), 'utf8')
  return [...text.matchAll(/^```(cedar|yaml)\n([^]*?)^```/gm)].map(([, kind = '', block = ''], i) => ({
    path: `${page}-${i}.${kind}`,
    text: block,
  }))
}

describe('a recipe', () => {
  test.each(pages)('%s does what its cases say', async (page) => {
    const results = await testResources(filesOf(page))
    expect(results.filter(({ differences }) => differences.length > 0).map(describeCase)).toEqual([])
    expect(results.length).toBeGreaterThan(2)
  })
})

test('there are twelve and more, and the list names each', () => {
  const list = readFileSync(new URL('README.md', RECIPES), 'utf8')
  expect(pages.filter((page) => !list.includes(`(${page})`))).toEqual([])
  expect(pages.length).toBeGreaterThanOrEqual(12)
})
