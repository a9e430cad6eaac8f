import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto'
import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { Secret } from '../access/secret.ts'
import {
  bitString,
  boolean,
  contextTag,
  integer,
  objectId,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts'

/** Long, because nobody trusts it by chain: who uses it has copied it, and copying it again is work. */
const YEARS = 10
const YEAR_MS = 365.25 * 24 * 3600 * 1000
/** For clients whose clock is a little behind ours. */
const BACKDATED_MS = 3600 * 1000

const COMMON_NAME = '2.5.4.3'
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const BASIC_CONSTRAINTS = '2.5.29.19'
const KEY_USAGE = '2.5.29.15'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'

/**
 * A certificate (RFC 5280 §4.1) on a new P-256 key for a server with these names or addresses, signed by itself: it
 * verifies under `verify-full` where it is given as the CA. Both as PEM, the key as PKCS #8.
 */
export function makeSelfSigned(
  names: readonly string[],
  now: Date = new Date(),
): { cert: string; key: Secret } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256))
  const name = sequence(set(sequence(objectId(COMMON_NAME), utf8String('sallyport'))))
  // Positive and at most 20 octets long (RFC 5280 §4.1.2.2).
  const serial = Buffer.concat([Buffer.of(0x40), randomBytes(15)])
  const toBeSigned = sequence(
    contextTag(0, integer(Buffer.of(2)), true),
    integer(serial),
    algorithm,
    name,
    sequence(time(new Date(now.getTime() - BACKDATED_MS)), time(new Date(now.getTime() + YEARS * YEAR_MS))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    contextTag(3, sequence(...extensions(names)), true),
  )
  const signature = sign('sha256', toBeSigned, privateKey)
  const certificate = sequence(toBeSigned, algorithm, bitString(signature))
  return {
    cert: new X509Certificate(certificate).toString(),
    key: new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  }
}

function extensions(names: readonly string[]): readonly Buffer[] {
  return [
    // Its own issuer, so it must be a CA for verifiers that check; of no other CA (path length 0).
    extension(BASIC_CONSTRAINTS, true, sequence(boolean(true), integer(Buffer.of(0)))),
    // digitalSignature and keyCertSign: bits 0 and 5.
    extension(KEY_USAGE, true, bitString(Buffer.of(0b1000_0100), 2)),
    extension(EXTENDED_KEY_USAGE, false, sequence(objectId(SERVER_AUTH))),
    extension(SUBJECT_ALTERNATIVE_NAME, false, sequence(...names.map(generalName))),
  ]
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(objectId(id), ...(critical ? [boolean(true)] : []), octetString(value))
}

/** RFC 5280 §4.2.1.6: dNSName [2], iPAddress [7]. */
function generalName(name: string): Buffer {
  if (isIPv4(name)) return contextTag(7, Buffer.from(name.split('.').map(Number)), false)
  if (isIPv6(name)) return contextTag(7, ipv6Bytes(name), false)
  return contextTag(2, Buffer.from(name, 'latin1'), false)
}

function ipv6Bytes(address: string): Buffer {
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, ...parts: string[]) => {
      const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number)
      return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
    },
  )
  const [before = '', after] = canonical.split('::')
  const head = words(before)
  const tail = after === undefined ? [] : words(after)
  const middle = Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0)
  const bytes = Buffer.alloc(16)
  for (const [at, word] of [...head, ...middle, ...tail].entries()) bytes.writeUInt16BE(word, at * 2)
  return bytes
}

function words(half: string): number[] {
  return half.split(':').flatMap((word) => (word === '' ? [] : [Number.parseInt(word, 16)]))
}
