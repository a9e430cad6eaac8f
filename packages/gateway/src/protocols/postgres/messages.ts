/**
 * The messages of the PostgreSQL frontend/backend protocol 3.0 ("Message Formats") that the gateway makes or takes apart.
 * Everything else passes by its type and length alone.
 *
 *   regular message   Byte1(type) Int32(length, with itself, without the type) body
 *   start-up packet   Int32(length, with itself) Int32(code or version) body
 */
import { SallyportError } from '../../access/errors.ts'
import { readCString } from '../wire/cstring.ts'

export const PROTOCOL_3_0 = 196608
export const SSL_REQUEST = 80877103
export const GSSENC_REQUEST = 80877104
export const CANCEL_REQUEST = 80877102

/** PostgreSQL's own limit (MAX_STARTUP_PACKET_LENGTH); more is no start-up packet. */
export const MAX_STARTUP_PACKET = 10_000

/** A ticket or a JWT with many groups; PostgreSQL's own limit for a password message is far larger. */
export const MAX_PASSWORD_MESSAGE = 16_384

export const FRONTEND = {
  bind: 0x42, // B
  close: 0x43, // C
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyFail: 0x66, // f
  describe: 0x44, // D
  execute: 0x45, // E
  flush: 0x48, // H
  functionCall: 0x46, // F
  parse: 0x50, // P
  password: 0x70, // p
  query: 0x51, // Q
  sync: 0x53, // S
  terminate: 0x58, // X
} as const

export const BACKEND = {
  authentication: 0x52, // R
  backendKeyData: 0x4b, // K
  bindComplete: 0x32, // 2
  closeComplete: 0x33, // 3
  commandComplete: 0x43, // C
  copyBothResponse: 0x57, // W
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyInResponse: 0x47, // G
  copyOutResponse: 0x48, // H
  dataRow: 0x44, // D
  emptyQueryResponse: 0x49, // I
  errorResponse: 0x45, // E
  functionCallResponse: 0x56, // V
  negotiateProtocolVersion: 0x76, // v
  noData: 0x6e, // n
  noticeResponse: 0x4e, // N
  notificationResponse: 0x41, // A
  parameterDescription: 0x74, // t
  parameterStatus: 0x53, // S
  parseComplete: 0x31, // 1
  portalSuspended: 0x73, // s
  readyForQuery: 0x5a, // Z
  rowDescription: 0x54, // T
} as const

/** The first packet of a connection. */
export type StartupPacket =
  | { readonly kind: 'ssl' }
  | { readonly kind: 'gssenc' }
  | { readonly kind: 'cancel'; readonly pid: number; readonly secret: Buffer }
  | {
      readonly kind: 'startup'
      readonly major: number
      readonly minor: number
      readonly parameters: ReadonlyMap<string, string>
    }

/** Reads a start-up packet's body: everything after its length. @throws SallyportError WIRE_MALFORMED */
export function decodeStartup(body: Buffer): StartupPacket {
  if (body.length < 4) throw malformed('the start-up packet is too short')
  const code = body.readInt32BE(0)
  if (code === SSL_REQUEST) return { kind: 'ssl' }
  if (code === GSSENC_REQUEST) return { kind: 'gssenc' }
  if (code === CANCEL_REQUEST) {
    // The secret is 4 bytes in protocol 3.0; 3.2 allows up to 256, which we never hand out.
    if (body.length !== 12) throw malformed('a cancel request has the wrong length')
    return { kind: 'cancel', pid: body.readInt32BE(4), secret: body.subarray(8) }
  }
  const parameters = new Map<string, string>()
  let at = 4
  for (;;) {
    const name = readCString(body, at, body.length)
    if (name === undefined) throw malformed('the start-up packet is not terminated')
    at = name.next
    if (name.text === '') break
    const value = readCString(body, at, body.length)
    if (value === undefined) throw malformed('a start-up parameter has no value')
    at = value.next
    if (parameters.has(name.text)) throw malformed(`the start-up parameter "${name.text}" is given twice`)
    parameters.set(name.text, value.text)
  }
  if (at !== body.length) throw malformed('the start-up packet goes on after its end')
  return { kind: 'startup', major: code >>> 16, minor: code & 0xffff, parameters }
}

/** The fields of an ErrorResponse or NoticeResponse body, by their one-letter codes ("Error and Notice Message Fields"). */
export function decodeErrorFields(bytes: Buffer, start: number, end: number): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  let at = start
  while (at < end && bytes[at] !== 0) {
    const field = readCString(bytes, at + 1, end)
    if (field === undefined) break
    fields.set(String.fromCharCode(bytes[at] ?? 0), field.text)
    at = field.next
  }
  return fields
}

export interface NoticeFields {
  readonly severity: 'ERROR' | 'FATAL' | 'NOTICE'
  readonly sqlstate: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  /** "Where": the protocol has no field for a decision id, and clients print this one as CONTEXT. */
  readonly where?: string
}

export type ErrorFields = NoticeFields & { readonly severity: 'ERROR' | 'FATAL' }

export function encodeError(fields: ErrorFields): Buffer {
  return message(BACKEND.errorResponse, noticeBody(fields))
}

/** A NoticeResponse: may be sent at any time between other messages ("Asynchronous Operations"). */
export function encodeNotice(fields: NoticeFields): Buffer {
  return message(BACKEND.noticeResponse, noticeBody(fields))
}

function noticeBody(fields: NoticeFields): Buffer {
  const optional = (code: string, value: string | undefined): [string, string][] =>
    value === undefined ? [] : [[code, value]]
  return fieldsBody([
    ['S', fields.severity],
    ['V', fields.severity],
    ['C', fields.sqlstate],
    ['M', fields.message],
    ...optional('D', fields.detail),
    ...optional('H', fields.hint),
    ...optional('W', fields.where),
  ])
}

/** An ErrorResponse or NoticeResponse of these fields, by their one-letter codes. */
export function encodeFields(type: number, fields: readonly (readonly [string, string])[]): Buffer {
  return message(type, fieldsBody(fields))
}

function fieldsBody(fields: readonly (readonly [string, string])[]): Buffer {
  // A NUL inside a field would end the message early and let the rest be read as another one.
  const body = fields.map(([code, value]) => `${code}${value.replaceAll('\0', '')}\0`)
  return Buffer.from(`${body.join('')}\0`)
}

/** NotificationResponse: Int32(process) String(channel) String(payload). */
export function encodeNotification(process: number, channel: string, payload: string): Buffer {
  return message(
    BACKEND.notificationResponse,
    Buffer.concat([int32(process), Buffer.from(`${channel}\0${payload}\0`)]),
  )
}

/** Describe of a portal: Byte1('P') String(name). */
export function encodeDescribePortal(name: string): Buffer {
  return message(FRONTEND.describe, Buffer.from(`P${name}\0`))
}

export function encodeReadyForQuery(status: 'I' | 'T' | 'E'): Buffer {
  return message(BACKEND.readyForQuery, Buffer.from(status))
}

export const AUTHENTICATION_CLEARTEXT_PASSWORD = message(BACKEND.authentication, int32(3))
export const AUTHENTICATION_OK = message(BACKEND.authentication, int32(0))

export function encodeParameterStatus(name: string, value: string): Buffer {
  return message(BACKEND.parameterStatus, Buffer.from(`${name}\0${value}\0`))
}

export function encodeBackendKeyData(pid: number, secret: Buffer): Buffer {
  return message(BACKEND.backendKeyData, Buffer.concat([int32(pid), secret]))
}

/** Tells the client that minor version 0 is the newest here, and which `_pq_.` options were not understood. */
export function encodeNegotiateProtocolVersion(unknownOptions: readonly string[]): Buffer {
  const names = unknownOptions.map((name) => Buffer.from(`${name}\0`))
  return message(
    BACKEND.negotiateProtocolVersion,
    Buffer.concat([int32(PROTOCOL_3_0), int32(unknownOptions.length), ...names]),
  )
}

export function encodeStartup(parameters: ReadonlyMap<string, string>): Buffer {
  const pairs = [...parameters].map(([name, value]) => `${name}\0${value}\0`)
  const body = Buffer.from(`${pairs.join('')}\0`)
  return Buffer.concat([int32(body.length + 8), int32(PROTOCOL_3_0), body])
}

export const SSL_REQUEST_PACKET = Buffer.concat([int32(8), int32(SSL_REQUEST)])
export const SYNC = message(FRONTEND.sync, Buffer.alloc(0))
export const TERMINATE = message(FRONTEND.terminate, Buffer.alloc(0))
export const FLUSH = message(FRONTEND.flush, Buffer.alloc(0))

export function encodeCancelRequest(pid: number, secret: Buffer): Buffer {
  return Buffer.concat([int32(12 + secret.length), int32(CANCEL_REQUEST), int32(pid), secret])
}

export function encodeQuery(sql: string): Buffer {
  return message(FRONTEND.query, Buffer.from(`${sql}\0`))
}

export function encodeParse(name: string, sql: string): Buffer {
  return message(FRONTEND.parse, Buffer.concat([Buffer.from(`${name}\0${sql}\0`), Buffer.alloc(2)]))
}

/** Bind without parameters; results come as text. */
export function encodeBind(portal: string, statement: string): Buffer {
  return message(FRONTEND.bind, Buffer.concat([Buffer.from(`${portal}\0${statement}\0`), Buffer.alloc(6)]))
}

/** Execute, all rows. */
export function encodeExecute(portal: string): Buffer {
  return message(FRONTEND.execute, Buffer.concat([Buffer.from(`${portal}\0`), int32(0)]))
}

export function encodeClose(kind: 'statement' | 'portal', name: string): Buffer {
  return message(FRONTEND.close, Buffer.from(`${kind === 'statement' ? 'S' : 'P'}${name}\0`))
}

export function encodeSaslInitialResponse(mechanism: string, data: string): Buffer {
  const bytes = Buffer.from(data)
  return message(
    FRONTEND.password,
    Buffer.concat([Buffer.from(`${mechanism}\0`), int32(bytes.length), bytes]),
  )
}

export function encodePassword(data: string): Buffer {
  return message(FRONTEND.password, Buffer.from(data))
}

export function message(type: number, body: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(5 + body.length)
  frame[0] = type
  frame.writeInt32BE(body.length + 4, 1)
  body.copy(frame, 5)
  return frame
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}

function malformed(why: string): SallyportError {
  return new SallyportError('WIRE_MALFORMED', why, { hint: 'is this a PostgreSQL client?' })
}
