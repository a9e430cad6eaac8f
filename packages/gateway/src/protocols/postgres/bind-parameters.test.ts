import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bindParametersJson, readBindTarget } from './bind-parameters.ts'
import { bytes, int16, int32 } from './wire.fixture.ts'

function json(annotated: string): string {
  const body = bytes(annotated)
  return bindParametersJson(body, 0, body.length)
}

describe('the parameters of a Bind', () => {
  it.each([
    ['none', '0000 0000 0000', '[]'],
    ['text, without formats', '0000 0001 00000003 "ana" 0000', '["ana"]'],
    ['text, with quotes', `0000 0001 00000003 22 5c 0a 0000`, String.raw`["\"\\\n"]`],
    ['an empty text', '0000 0001 00000000 0000', '[""]'],
    ['NULL', '0000 0001 ffffffff 0000', '[null]'],
    ['one format for all', '0001 0001 0002 00000001 ff 00000002 0102 0000', String.raw`["\\xff","\\x0102"]`],
    ['a format for each', '0002 0000 0001 0002 00000001 "a" 00000001 "a" 0000', String.raw`["a","\\x61"]`],
    ['NULL among binary ones', '0001 0001 0002 ffffffff 00000001 00 0000', String.raw`[null,"\\x00"]`],
    ['bytes that are no UTF-8', '0000 0001 00000001 ff 0000', '["\uFFFD"]'],
  ])('%s', (_, body, expected) => {
    expect(json(body)).toBe(expected)
  })

  it.each([
    ['nothing', ''],
    ['half a count', '00'],
    ['formats that do not fit', '0005 0000'],
    ['no number of values', '0000'],
    ['a value without a length', '0000 0001 00'],
    ['a value that goes on behind the message', '0000 0001 00000009 "ana"'],
    ['an impossible length', '0000 0001 7fffffff "ana"'],
  ])('are none where there is %s', (_, body) => {
    expect(json(body)).toBe('[]')
  })

  it('are cut where they are long, and say so', () => {
    const body = Buffer.concat([int16(0), int16(1), int32(300), Buffer.alloc(300, 'x')])
    expect(JSON.parse(bindParametersJson(body, 0, body.length))).toEqual([`${'x'.repeat(256)}… 300 bytes`])
  })

  it.each([
    ['NULL', -1],
    ['empty', 0],
  ])('are counted where they are many: %s', (_, length) => {
    const body = Buffer.concat([int16(0), int16(101), ...Array.from({ length: 101 }, () => int32(length))])
    const values = JSON.parse(bindParametersJson(body, 0, body.length)) as unknown[]
    expect(values).toHaveLength(101)
    expect(values.at(-1)).toBe('… 1 more')
  })

  it('are JSON, bounded, and of this message only, whatever comes', () => {
    const value = fc.oneof(
      fc.constant(int32(-1)),
      fc.uint8Array({ maxLength: 400 }).map((data) => Buffer.concat([int32(data.length), data])),
    )
    const valid = fc
      .tuple(fc.array(fc.nat(2), { maxLength: 3 }), fc.array(value, { maxLength: 120 }))
      .map(([formats, values]) =>
        Buffer.concat([int16(formats.length), ...formats.map(int16), int16(values.length), ...values]),
      )
    const hostile = fc.uint8Array({ maxLength: 60 }).map((data) => Buffer.from(data))
    fc.assert(
      fc.property(fc.oneof(valid, hostile), fc.nat(2000), (body, cut) => {
        const end = Math.min(cut, body.length)
        const text = bindParametersJson(body, 0, end)
        expect(Array.isArray(JSON.parse(text))).toBe(true)
        expect(text.length).toBeLessThan(200_000)
        expect(text).toBe(bindParametersJson(Buffer.from(body.subarray(0, end)), 0, end))
      }),
    )
  })
})

describe('the names of a Bind', () => {
  it.each([
    ['"p" 00 "s" 00 0000', { portal: 'p', statement: 's', next: 4 }],
    ['00 00', { portal: '', statement: '', next: 2 }],
    ['"p" 00 "s"', undefined],
    ['"p"', undefined],
    ['', undefined],
  ])('in %s', (body, expected) => {
    const whole = bytes(body)
    expect(readBindTarget(whole, 0, whole.length)).toEqual(expected)
  })

  it('end before the message does', () => {
    expect(readBindTarget(bytes('"p" 00 "s" 00'), 0, 3)).toBeUndefined()
  })
})
