import fc from 'fast-check'
import { duplexPair, PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { ByteSource } from './byte-source.ts'

const never = new AbortController().signal

describe('a byte source', () => {
  it('gives as many bytes as are asked for, however they come, and leaves the rest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 20 }),
        fc.boolean(),
        async (chunks, sizes, slowly) => {
          const [near, far] = duplexPair()
          const all = Buffer.concat(chunks)
          const source = new ByteSource(near, never)
          const writing = (async () => {
            for (const chunk of chunks) {
              far.write(chunk)
              if (slowly) await new Promise((resolve) => setImmediate(resolve))
            }
            far.end()
          })()
          let at = 0
          for (const size of sizes) {
            const taken = await source.take(size)
            if (at + size > all.length) {
              expect(taken).toBeUndefined()
              return
            }
            expect(taken?.equals(all.subarray(at, at + size))).toBe(true)
            at += size
          }
          await writing
          const rest: Buffer[] = []
          for await (const chunk of near) rest.push(chunk as Buffer)
          expect(Buffer.concat(rest).equals(all.subarray(at))).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('gives more than the stream buffers at once', async () => {
    const stream = new PassThrough({ highWaterMark: 16 })
    const source = new ByteSource(stream, never)
    const taking = source.take(1000)
    stream.write(Buffer.alloc(600, 1))
    stream.write(Buffer.alloc(400, 2))
    expect((await taking)?.length).toBe(1000)
  })

  it.each(['end', 'destroy'] as const)('gives nothing once the peer is gone (%s)', async (how) => {
    const stream = new PassThrough()
    const taking = new ByteSource(stream, never).take(5)
    stream.write('abc')
    stream[how]()
    expect(await taking).toBeUndefined()
    expect(await new ByteSource(stream, never).take(5)).toBeUndefined()
  })

  it('rejects with the error of the stream', async () => {
    const stream = new PassThrough()
    const taking = new ByteSource(stream, never).take(1)
    stream.destroy(new Error('reset'))
    await expect(taking).rejects.toThrow('reset')
  })

  it('rejects with the reason of its signal, waiting or not', async () => {
    const stream = new PassThrough()
    const controller = new AbortController()
    const source = new ByteSource(stream, controller.signal)
    const taking = source.take(1)
    controller.abort(new Error('too late'))
    await expect(taking).rejects.toThrow('too late')
    stream.write('x')
    await expect(source.take(1)).rejects.toThrow('too late')
  })

  it('leaves no listeners behind', async () => {
    const stream = new PassThrough()
    const before = stream.eventNames().length
    const source = new ByteSource(stream, never)
    const taking = source.take(3)
    stream.write('abc')
    await taking
    expect(stream.eventNames()).toHaveLength(before)
  })
})
