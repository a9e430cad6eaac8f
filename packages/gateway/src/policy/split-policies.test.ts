import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitPolicies } from './split-policies.ts'

test('ends a policy at a semicolon outside of strings and comments', () => {
  const first = '@id("a;\\"b") permit (principal, action, resource); '
  const text = `// no; policy\n${first.trim()} // trailing;\nforbid (principal, action, resource) // x;\n;`
  const policies = splitPolicies(text)
  expect(policies.map((policy) => policy.text)).toEqual([
    first.trim(),
    'forbid (principal, action, resource) // x;\n;',
  ])
  expect(policies[1]?.offset).toBe(text.indexOf('forbid'))
})

test('keeps what follows the last semicolon, so that it is an error and not ignored', () => {
  expect(splitPolicies('permit (principal, action, resource)')).toEqual([
    { text: 'permit (principal, action, resource)', offset: 0 },
  ])
})

test('has no policy in a file of comments', () => {
  expect(splitPolicies('// a\n\n// b')).toEqual([])
})

test('loses nothing but space and comments, whatever the file holds', () => {
  const unit = fc.constantFrom('a', '"', '\\', ';', '/', '\n', ' ', '\r')
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), (file) => {
      let end = 0
      for (const { text, offset } of splitPolicies(file)) {
        expect(file.slice(offset, offset + text.length)).toBe(text)
        expect(
          file
            .slice(end, offset)
            .replaceAll(/\/\/[^\n\r]*/g, '')
            .trim(),
        ).toBe('')
        end = offset + text.length
      }
      expect(
        file
          .slice(end)
          .replaceAll(/\/\/[^\n\r]*/g, '')
          .trim(),
      ).toBe('')
    }),
  )
})
