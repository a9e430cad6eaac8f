import { describe, expect, it } from 'vitest'
import type { TokenParameter } from '../../access/masking.ts'
import { boundParameters, readBindTarget } from './bind-parameters.ts'
import { constantMask, masksOf, TOKEN } from './mask.fixture.ts'
import { directReader, TestGuard } from './guard.fixture.ts'
import { restoreTokens } from './mask-parameters.ts'
import { encodeParse, FRONTEND, message } from './messages.ts'
import { ScriptedSession } from './script.fixture.ts'
import { client, frames, int16, int32, target } from './wire.fixture.ts'

const SSN: TokenParameter = { number: 2, mask: TOKEN, type: 'text' }
const ID: TokenParameter = {
  number: 1,
  mask: {
    ...constantMask('0'),
    restore: (token, kind) => (kind === 'integer' && token === '7' ? '42' : undefined),
  },
  type: 'integer',
}

/** The values of a Bind after tokens were turned back; undefined: the Bind as it came. */
function restored(bind: Buffer, tokens: readonly TokenParameter[], types: readonly number[] = []): unknown {
  const names = readBindTarget(bind, 5, bind.length)
  if (names === undefined) throw new Error('no Bind')
  const changed = restoreTokens(bind, 0, names.next, bind.length, tokens, types)
  if (changed === undefined) return undefined
  expect(changed.readInt32BE(1)).toBe(changed.length - 1)
  const again = readBindTarget(changed, 5, changed.length)
  const parameters = boundParameters(changed, again?.next ?? 0, changed.length)
  return parameters?.map(({ value }) => value?.toString('latin1') ?? null)
}

/** Bind with one format for all parameters, and binary results. */
function bind(format: number, values: readonly (Buffer | null)[]): Buffer {
  const parts = values.flatMap((value) => (value === null ? [int32(-1)] : [int32(value.length), value]))
  return message(
    FRONTEND.bind,
    Buffer.concat([
      Buffer.from('p\0s\0'),
      int16(1),
      int16(format),
      int16(values.length),
      ...parts,
      int16(1),
      int16(1),
    ]),
  )
}

describe('tokens in parameters', () => {
  it('are turned back where they are expected, and nowhere else', () => {
    expect(restored(client.bind('p', 's', ['T:a', 'T:b', 'T:c']), [SSN])).toEqual(['T:a', 'b', 'T:c'])
  })

  it('leave what is none of them, and NULL, as it is', () => {
    expect(restored(client.bind('p', 's', ['x', '123-45-6789']), [SSN])).toBeUndefined()
    expect(restored(client.bind('p', 's', ['x', null]), [SSN])).toBeUndefined()
    expect(restored(client.bind('p', 's', ['x']), [SSN])).toBeUndefined()
  })

  it('are turned back in lists', () => {
    expect(restored(client.bind('p', 's', ['x', '{T:a,NULL,b,"T:c d"}']), [SSN])).toEqual([
      'x',
      '{a,NULL,b,"c d"}',
    ])
  })

  it('are turned back in binary, by the type of the column or of Parse', () => {
    expect(restored(bind(1, [Buffer.from([0, 0, 0, 7])]), [ID])).toEqual(['\0\0\0\x2a'])
    const eight = Buffer.from([0, 0, 0, 0, 0, 0, 0, 7])
    expect(restored(bind(1, [eight]), [ID], [20])).toEqual(['\0\0\0\0\0\0\0\x2a'])
    // Eight bytes are no integer: the target says so.
    expect(restored(bind(1, [eight]), [ID])).toBeUndefined()
  })

  it('of a Bind that is cut short are left for the target to refuse', () => {
    const whole = client.bind('p', 's', ['T:a', 'T:b'])
    const names = readBindTarget(whole, 5, whole.length)
    for (let end = names?.next ?? 0; end < whole.length - 2; end++)
      expect(restoreTokens(whole, 0, names?.next ?? 0, end, [SSN])).toBeUndefined()
  })

  it('go to the target as values, and into the recording as they came', async () => {
    const guard = new TestGuard()
    guard.masksFor = () => [masksOf([TOKEN], { parameters: [{ number: 1, mask: TOKEN, type: 'text' }] })]
    const session = new ScriptedSession(await directReader(), guard)
    await session.client(
      encodeParse('', 'SELECT ssn FROM a WHERE ssn = $1'),
      client.bind('', '', ['T:123-45-6789']),
      client.execute(''),
      client.sync,
    )
    await session.target(target.parseComplete)
    const sent = frames(session.toTarget).find(({ type }) => type === 'B')
    expect(sent?.body.toString()).toContain('\x0b123-45-6789')
    expect(guard.recorder.calls).toContainEqual(['execute', 2, 1, '["T:123-45-6789"]'])
  })
})
