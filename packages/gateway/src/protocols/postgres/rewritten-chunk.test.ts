import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RewrittenChunk } from './rewritten-chunk.ts'

/** What stays and what comes in another's place, in order. */
const pieces = fc.array(
  fc.record({
    kept: fc.uint8Array({ maxLength: 80 }),
    gone: fc.uint8Array({ maxLength: 80 }),
    by: fc.uint8Array({ maxLength: 120 }),
  }),
  { maxLength: 20 },
)

it('goes on with what was not replaced, and what was put in its place, in order', () => {
  const rewritten = new RewrittenChunk()
  fc.assert(
    fc.property(pieces, fc.uint8Array({ maxLength: 20 }), fc.nat(30), (all, rest, before) => {
      const chunk = Buffer.concat([
        Buffer.alloc(before),
        ...all.flatMap(({ kept, gone }) => [kept, gone]),
        rest,
        Buffer.alloc(9),
      ])
      rewritten.begin(chunk, before)
      let at = before
      let size = 0
      for (const { kept, gone, by } of all) {
        const start = at + kept.length
        size += kept.length
        expect(rewritten.offset(start)).toBe(size)
        rewritten.replaceBy(start, start + gone.length, Buffer.from(by))
        size += by.length
        at = start + gone.length
      }
      rewritten.end(at + rest.length)
      expect(rewritten.bytes.subarray(rewritten.start, rewritten.to)).toEqual(
        Buffer.concat([...all.flatMap(({ kept, by }) => [kept, by]), rest]),
      )
    }),
  )
})

it('leaves in its own memory what gets no longer', () => {
  const rewritten = new RewrittenChunk()
  const chunk = Buffer.from('ab1234cd12ef')
  rewritten.begin(chunk, 0)
  rewritten.replaceBy(2, 6, Buffer.from('-'))
  rewritten.replaceBy(8, 10, Buffer.from('....'))
  rewritten.end(12)
  expect(rewritten.bytes).toBe(chunk)
  expect(chunk.toString('latin1', rewritten.start, rewritten.to)).toBe('ab-cd....ef')
})
