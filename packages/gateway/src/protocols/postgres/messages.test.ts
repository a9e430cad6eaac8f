import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SallyportError } from '../../access/errors.ts'
import {
  AUTHENTICATION_CLEARTEXT_PASSWORD,
  AUTHENTICATION_OK,
  decodeErrorFields,
  decodeStartup,
  encodeBackendKeyData,
  encodeBind,
  encodeCancelRequest,
  encodeClose,
  encodeError,
  encodeExecute,
  encodeNegotiateProtocolVersion,
  encodeParameterStatus,
  encodeParse,
  encodePassword,
  encodeQuery,
  encodeReadyForQuery,
  encodeSaslInitialResponse,
  encodeStartup,
  SSL_REQUEST_PACKET,
  SYNC,
  TERMINATE,
} from './messages.ts'
import { bytes } from './wire.fixture.ts'

describe('what is sent', () => {
  it.each([
    ['AuthenticationOk', AUTHENTICATION_OK, '52 00000008 00000000'],
    ['AuthenticationCleartextPassword', AUTHENTICATION_CLEARTEXT_PASSWORD, '52 00000008 00000003'],
    ['ReadyForQuery, idle', encodeReadyForQuery('I'), '5a 00000005 "I"'],
    ['ReadyForQuery, failed', encodeReadyForQuery('E'), '5a 00000005 "E"'],
    ['ParameterStatus', encodeParameterStatus('TimeZone', 'UTC'), '53 00000011 "TimeZone" 00 "UTC" 00'],
    [
      'BackendKeyData',
      encodeBackendKeyData(0x01020304, Buffer.from('a1b2c3d4', 'hex')),
      '4b 0000000c 01020304 # the process\n a1b2c3d4 # the secret',
    ],
    ['Bind', encodeBind('p', 's'), '42 0000000e "p" 00 "s" 00 0000 # formats\n 0000 # values\n 0000'],
    ['Execute', encodeExecute('p'), '45 0000000a "p" 00 00000000 # all rows'],
    ['Close of a statement', encodeClose('statement', 's'), '43 00000007 "S" "s" 00'],
    ['Close of a portal', encodeClose('portal', 'p'), '43 00000007 "P" "p" 00'],
    ['Sync', SYNC, '53 00000004'],
    ['NegotiateProtocolVersion', encodeNegotiateProtocolVersion([]), '76 0000000c 00030000 00000000'],
    [
      'NegotiateProtocolVersion with an option',
      encodeNegotiateProtocolVersion(['_pq_.x', '_pq_.y']),
      '76 0000001a 00030000 # the newest minor version\n 00000002 "_pq_.x" 00 "_pq_.y" 00',
    ],
    [
      'ErrorResponse',
      encodeError({ severity: 'FATAL', sqlstate: '28000', message: 'no' }),
      '45 0000001e "SFATAL" 00 "VFATAL" 00 "C28000" 00 "Mno" 00 00',
    ],
    [
      'ErrorResponse with all fields',
      encodeError({
        severity: 'ERROR',
        sqlstate: '42501',
        message: 'no',
        detail: 'd',
        hint: 'h',
        where: 'w',
      }),
      '45 00000027 "SERROR" 00 "VERROR" 00 "C42501" 00 "Mno" 00 "Dd" 00 "Hh" 00 "Ww" 00 00',
    ],
    [
      'ErrorResponse without the NUL of a field',
      encodeError({ severity: 'ERROR', sqlstate: '42501', message: 'a\0Sb' }),
      '45 0000001f "SERROR" 00 "VERROR" 00 "C42501" 00 "MaSb" 00 00',
    ],
    [
      'StartupMessage',
      encodeStartup(new Map([['user', 'ana']])),
      '00000012 00030000 "user" 00 "ana" 00 # the list ends with\n 00',
    ],
    ['SSLRequest', SSL_REQUEST_PACKET, '00000008 04d2162f'],
    [
      'CancelRequest',
      encodeCancelRequest(7, Buffer.from('a1b2c3d4', 'hex')),
      '00000010 04d2162e 00000007 a1b2c3d4',
    ],
    ['Terminate', TERMINATE, '58 00000004'],
    ['Query', encodeQuery('SELECT 1'), '51 0000000d "SELECT 1" 00'],
    ['Parse', encodeParse('s', 'SELECT 1'), '50 00000011 "s" 00 "SELECT 1" 00 0000 # no parameter types'],
    [
      'SASLInitialResponse',
      encodeSaslInitialResponse('SCRAM-SHA-256', 'n,,'),
      '70 00000019 "SCRAM-SHA-256" 00 00000003 "n,,"',
    ],
    ['SASLResponse', encodePassword('c=biws'), '70 0000000a "c=biws"'],
  ])('%s', (_, encoded, expected) => {
    expect(encoded.toString('hex')).toBe(bytes(expected).toString('hex'))
  })
})

describe('a start-up packet, after its length', () => {
  it.each([
    ['SSLRequest', '04d2162f', { kind: 'ssl' }],
    ['GSSENCRequest', '04d21630', { kind: 'gssenc' }],
    [
      'CancelRequest',
      '04d2162e 00000007 a1b2c3d4',
      { kind: 'cancel', pid: 7, secret: Buffer.from('a1b2c3d4', 'hex') },
    ],
    [
      'StartupMessage 3.0 with nothing',
      '00030000 00',
      { kind: 'startup', major: 3, minor: 0, parameters: new Map() },
    ],
    [
      'StartupMessage 3.0',
      '00030000 "user" 00 "ana" 00 "database" 00 "shop" 00 00',
      {
        kind: 'startup',
        major: 3,
        minor: 0,
        parameters: new Map([
          ['user', 'ana'],
          ['database', 'shop'],
        ]),
      },
    ],
    [
      'StartupMessage 3.2 with a protocol option',
      '00030002 "_pq_.x" 00 "1" 00 00',
      { kind: 'startup', major: 3, minor: 2, parameters: new Map([['_pq_.x', '1']]) },
    ],
    [
      'an empty value',
      '00030000 "options" 00 00 00',
      { kind: 'startup', major: 3, minor: 0, parameters: new Map([['options', '']]) },
    ],
    ['version 2.0', '00020000 00', { kind: 'startup', major: 2, minor: 0, parameters: new Map() }],
    [
      'a version that is negative as Int32',
      'ffff0001 00',
      { kind: 'startup', major: 0xffff, minor: 1, parameters: new Map() },
    ],
  ])('reads %s', (_, hex, expected) => {
    expect(decodeStartup(bytes(hex))).toEqual(expected)
  })

  it.each([
    ['nothing at all', ''],
    ['half a version', '0003'],
    ['a cancel request with a short secret', '04d2162e 00000007 a1b2'],
    ['a cancel request with a long secret', '04d2162e 00000007 a1b2c3d4e5'],
    ['no closing NUL', '00030000 "user" 00 "ana" 00'],
    ['a name that does not end', '00030000 "user"'],
    ['a value that does not end', '00030000 "user" 00 "ana"'],
    ['a name without a value', '00030000 "user" 00'],
    ['something after the end', '00030000 00 00'],
    ['a parameter twice', '00030000 "user" 00 "a" 00 "user" 00 "b" 00 00'],
  ])('refuses %s', (_, hex) => {
    expect(() => decodeStartup(bytes(hex))).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED' }))
  })

  it('reads or refuses whatever comes', () => {
    const versioned = fc
      .tuple(fc.constantFrom(0x00030000, 80877102, 80877103, 0x00030002), fc.uint8Array({ maxLength: 40 }))
      .map(([code, rest]) => {
        const head = Buffer.alloc(4)
        head.writeInt32BE(code)
        return Buffer.concat([head, rest])
      })
    fc.assert(
      fc.property(fc.oneof(versioned, fc.uint8Array({ maxLength: 80 })), (body) => {
        try {
          decodeStartup(Buffer.from(body))
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
    )
  })

  it('comes back as it was sent', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
      .filter((part) => !part.includes('\0'))
    fc.assert(
      fc.property(fc.dictionary(text, text), (parameters) => {
        const map = new Map(Object.entries(parameters))
        const packet = decodeStartup(encodeStartup(map).subarray(4))
        expect(packet).toEqual({ kind: 'startup', major: 3, minor: 0, parameters: map })
      }),
    )
  })
})

describe('the fields of an error', () => {
  it('are read by their letters', () => {
    const body = bytes('"SERROR" 00 "C42601" 00 "Mno" 00 00')
    expect(decodeErrorFields(body, 0, body.length)).toEqual(
      new Map([
        ['S', 'ERROR'],
        ['C', '42601'],
        ['M', 'no'],
      ]),
    )
  })

  it.each([
    ['nothing', '', []],
    ['no closing NUL', '"Mno" 00', [['M', 'no']]],
    ['a field that does not end', '"C42601" 00 "Mno"', [['C', '42601']]],
    ['a letter alone', '"C"', []],
  ])('are as many as there are in a body with %s', (_, hex, expected) => {
    const body = bytes(hex)
    expect([...decodeErrorFields(body, 0, body.length)]).toEqual(expected)
  })

  it('are never read from behind the message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (body, cut) => {
        const end = Math.min(cut, body.length)
        const whole = decodeErrorFields(Buffer.from(body), 0, end)
        expect([...whole]).toEqual([...decodeErrorFields(Buffer.from(body.subarray(0, end)), 0, end)])
      }),
    )
  })
})
