import { describe, expect, test } from 'vitest'
import { detect } from './detectors.ts'
import { properNameDetector } from './proper-names.ts'
import type { Entity } from './span.ts'

const found = (text: string) =>
  detect(text, [properNameDetector]).map(({ entity, start, end }) => [entity, text.slice(start, end)])

describe('names in texts', () => {
  test.each<[string, ...[Entity, string][]]>([
    ['My name is Ana Lima.', ['person', 'Ana Lima']],
    ['We asked Ludwig van der Berg about it', ['person', 'Ludwig van der Berg']],
    ["That is Mr. O'Hara's bill", ['person', "O'Hara"]],
    ['She moved to Portugal', ['location', 'Portugal']],
    ['She lives in Porto', ['location', 'Porto']],
    ['Send it to 12 Elm Street, Apt. 4', ['location', '12 Elm Street, Apt. 4']],
    ['Lindenweg 17 it is', ['location', 'Lindenweg 17']],
    ['I work for Example Software GmbH', ['organization', 'Example Software GmbH']],
  ])('%s', (text, ...expected) => {
    expect(found(text)).toEqual(expected)
  })

  test.each([
    'Please call me on Monday',
    'The ATM ate my card',
    'I read "Great Expectations" twice',
    'nothing is written large here',
  ])('finds none in: %s', (text) => {
    expect(found(text)).toEqual([])
  })
})

test('takes time in proportion to the text', () => {
  for (const piece of ['Aa ', 'A. ', '1 ', 'Ab-', "O'Ab", '12 a b c d ', 'Via 1', ',']) {
    const of = (length: number): number => {
      const text = piece.repeat(length / piece.length)
      const began = performance.now()
      properNameDetector.find(text)
      return performance.now() - began
    }
    of(10_000)
    // Quadratic would be a hundred times as much, and minutes.
    expect(of(200_000), piece).toBeLessThan(10_000)
  }
})
