import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatSearchPath, parseSearchPath } from './search-path.ts'

describe('a search path', () => {
  it.each([
    ['public', ['public']],
    ['"$user", public', ['public']],
    ['$user,public', ['public']],
    ['', []],
    ['  ', []],
    ['""', []],
    ['Sales ,\tpublic', ['sales', 'public']],
    ['"Sales", "a ""b"", c"', ['Sales', 'a "b", c']],
    ['ÄB', ['Äb']],
    ['pg_temp, pg_catalog', ['pg_temp', 'pg_catalog']],
  ])('%j is taken apart', (value, path) => {
    expect(parseSearchPath(value)).toEqual(path)
  })

  it.each(['a b', 'a,', ',a', '"a', 'a"b"', 'a,,b', '"a" b'])('%j is not one', (value) => {
    expect(parseSearchPath(value)).toBeUndefined()
  })

  it('survives being written and read', () => {
    const schema = fc.string({ minLength: 1 }).filter((name) => name !== '$user')
    fc.assert(
      fc.property(fc.array(schema), (path) => {
        expect(parseSearchPath(formatSearchPath(path))).toEqual(path)
      }),
    )
  })
})
