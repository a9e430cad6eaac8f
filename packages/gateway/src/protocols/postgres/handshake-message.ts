import { readCString } from '../wire/cstring.ts'
import { SallyportError } from '../../access/errors.ts'
import type { ByteSource } from '../wire/byte-source.ts'

/**
 * All that a target may say before the session begins: SCRAM, fifteen parameters and a notice or two are 2 KB. Parameters
 * are kept, so that a target that never stops sending them would fill the memory.
 */
export const MAX_HANDSHAKE = 64 * 1024

export interface HandshakeMessage {
  readonly type: number
  readonly body: Buffer
}

/**
 * The next message of a handshake: type, length, body.
 * @returns undefined when the peer has closed
 * @throws SallyportError WIRE_MALFORMED for an impossible length, WIRE_TOO_LARGE for a body over `limit` bytes
 */
export async function readHandshakeMessage(
  source: ByteSource,
  limit: number,
): Promise<HandshakeMessage | undefined> {
  const header = await source.take(5)
  if (header === undefined) return undefined
  const length = header.readInt32BE(1)
  if (length < 4) throw new SallyportError('WIRE_MALFORMED', `a message says that it is ${length} bytes long`)
  if (length - 4 > limit) {
    throw new SallyportError('WIRE_TOO_LARGE', `a message of ${length} bytes came where ${limit} are allowed`)
  }
  const body = length === 4 ? Buffer.alloc(0) : await source.take(length - 4)
  if (body === undefined)
    throw new SallyportError('WIRE_MALFORMED', 'the connection was closed in the middle of a message')
  return { type: header[0] ?? 0, body }
}

/** ParameterStatus: String(name) String(value). */
export function rememberParameter(parameters: Map<string, string>, message: HandshakeMessage): void {
  const name = readCString(message.body, 0, message.body.length)
  if (name === undefined) return
  const value = readCString(message.body, name.next, message.body.length)
  if (value !== undefined) parameters.set(name.text, value.text)
}
