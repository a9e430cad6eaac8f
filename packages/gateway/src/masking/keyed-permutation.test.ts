import { expect, test } from 'vitest'
import { KeyedPermutation } from './keyed-permutation.ts'

const permutation = new KeyedPermutation(Buffer.alloc(32, 7))

test.each([1n, 2n, 10n, 32_768n])('a domain of %s values is permuted', (size) => {
  const all = Array.from({ length: Number(size) }, (_, i) => BigInt(i))
  const images = all.map((value) => permutation.encipher(value, size, 'test'))
  expect(new Set(images).size).toBe(all.length)
  expect(images.every((image) => image >= 0n && image < size)).toBe(true)
  expect(images.map((image) => permutation.decipher(image, size, 'test'))).toEqual(all)
})

test('values just inside of a large domain stay inside', () => {
  const size = 10n ** 9n
  for (let value = size - 50n; value < size; value += 1n) {
    const image = permutation.encipher(value, size, 'test')
    expect(image < size).toBe(true)
    expect(permutation.decipher(image, size, 'test')).toBe(value)
  }
})

test.each([1000n, 10n ** 9n])('purposes and keys permute %s values differently', (size) => {
  const first = (key: number, purpose: string) =>
    Array.from({ length: 20 }, (_, i) =>
      new KeyedPermutation(Buffer.alloc(32, key)).encipher(BigInt(i), size, purpose),
    ).join()
  expect(new Set([first(1, 'a'), first(1, 'b'), first(2, 'a')]).size).toBe(3)
})
