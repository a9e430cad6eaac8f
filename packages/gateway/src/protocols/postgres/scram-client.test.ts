import { describe, expect, it } from 'vitest'
import { Secret } from '../../access/secret.ts'
import { ScramClient } from './scram-client.ts'

const SERVER_FIRST = 'r=abcdEFGH,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'

function started(): ScramClient {
  const scram = new ScramClient(new Secret('pencil'), 'abcd')
  scram.first()
  return scram
}

describe('the client half of SCRAM', () => {
  it('begins without channel binding and without a name', () => {
    expect(started().first()).toBe('n,,n=,r=abcd')
  })

  it.each([
    ['another nonce', 'r=other,s=W22Z,i=4096'],
    ['only our own nonce', 'r=abcd,s=W22Z,i=4096'],
    ['no salt', 'r=abcdEF,i=4096'],
    ['no iterations', 'r=abcdEF,s=W22Z'],
    ['iterations that are no number', 'r=abcdEF,s=W22Z,i=many'],
    ['no iterations at all', 'r=abcdEF,s=W22Z,i=0'],
    ['iterations that would stop everything for a while', 'r=abcdEF,s=W22Z,i=1000000'],
    ['nothing', ''],
  ])('refuses a server that sends %s', (_, message) => {
    expect(() => started().final(message)).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED' }))
  })

  it('proves the password once only', () => {
    const scram = started()
    expect(scram.final(SERVER_FIRST)).toMatch(/^c=biws,r=abcdEFGH,p=[\w+/]{43}=$/)
    expect(() => scram.final(SERVER_FIRST)).toThrow('second')
  })

  it.each(['', 'v=', 'v=AAAA', 'e=invalid-proof', `v=${Buffer.alloc(32).toString('base64')}`])(
    'does not take %j for the proof of the server',
    (message) => {
      const scram = started()
      scram.final(SERVER_FIRST)
      expect(() => scram.verify(message)).toThrow('did not prove')
      expect(scram.verified).toBe(false)
    },
  )

  it('takes no proof before it gave its own', () => {
    expect(() => started().verify('v=')).toThrow('did not prove')
  })
})
