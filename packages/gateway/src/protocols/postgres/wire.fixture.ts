import { encodeParse, encodeQuery, FRONTEND, message } from './messages.ts'

/** Bytes as one reads them: hex digits, `"text"` as UTF-8, white space as one likes, and comments from `#` to the end of a line. */
export function bytes(annotated: string): Buffer {
  const parts: Buffer[] = []
  for (const line of annotated.split('\n')) {
    for (const [token] of line.matchAll(/"[^"]*"|#.*$|\S+/g)) {
      if (token.startsWith('#')) break
      if (token.startsWith('"')) parts.push(Buffer.from(token.slice(1, -1)))
      else if (/^(?:[0-9a-f]{2})+$/i.test(token)) parts.push(Buffer.from(token, 'hex'))
      else throw new Error(`not hex: ${token}`)
    }
  }
  return Buffer.concat(parts)
}

export function int16(value: number): Buffer {
  const out = Buffer.alloc(2)
  out.writeUInt16BE(value)
  return out
}

export function int32(value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeInt32BE(value)
  return out
}

function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`)
}

const NOTHING = Buffer.alloc(0)

/** What a client sends. */
export const client = {
  query: encodeQuery,
  parse: encodeParse,
  bind(
    portal: string,
    statement: string,
    values: readonly (string | null)[] = [],
    resultFormats: readonly number[] = [],
  ): Buffer {
    const parameters = values.map((value) =>
      value === null ? int32(-1) : Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]),
    )
    const body = [
      cstring(portal),
      cstring(statement),
      int16(0),
      int16(values.length),
      ...parameters,
      int16(resultFormats.length),
      ...resultFormats.map(int16),
    ]
    return message(FRONTEND.bind, Buffer.concat(body))
  },
  execute: (portal: string, rows = 0) =>
    message(FRONTEND.execute, Buffer.concat([cstring(portal), int32(rows)])),
  describe: (kind: 'S' | 'P', name: string) => message(FRONTEND.describe, cstring(`${kind}${name}`)),
  close: (kind: 'S' | 'P', name: string) => message(FRONTEND.close, cstring(`${kind}${name}`)),
  sync: message(FRONTEND.sync, NOTHING),
  flush: message(FRONTEND.flush, NOTHING),
  terminate: message(FRONTEND.terminate, NOTHING),
  copyData: (text: string) => message(FRONTEND.copyData, Buffer.from(text)),
  copyDone: message(FRONTEND.copyDone, NOTHING),
  copyFail: (why: string) => message(FRONTEND.copyFail, cstring(why)),
  /** FunctionCall of pg_backend_pid (OID 2026), without arguments. */
  functionCall: message(FRONTEND.functionCall, bytes('000007ea 0000 0000 0000')),
}

/** One column of a RowDescription. */
export interface Column {
  readonly name: string
  readonly type: number
  readonly relation?: number
  readonly number?: number
  readonly format?: number
}

function tagged(type: string, body: Buffer = NOTHING): Buffer {
  return message(type.charCodeAt(0), body)
}

/** What a target sends. */
export const target = {
  parseComplete: tagged('1'),
  bindComplete: tagged('2'),
  closeComplete: tagged('3'),
  noData: tagged('n'),
  emptyQuery: tagged('I'),
  portalSuspended: tagged('s'),
  complete: (tag: string) => tagged('C', cstring(tag)),
  ready: (status: 'I' | 'T' | 'E') => tagged('Z', Buffer.from(status)),
  /** One text column called `?column?`. */
  rowDescription: tagged('T', bytes(`0001 "?column?" 00 00000000 0000 00000019 ffff ffffffff 0000`)),
  columns: (...columns: readonly Column[]) =>
    tagged(
      'T',
      Buffer.concat([
        int16(columns.length),
        ...columns.flatMap(({ name, type, relation = 0, number = 0, format = 0 }) => [
          cstring(name),
          int32(relation),
          int16(number),
          int32(type),
          int16(0xffff),
          int32(-1),
          int16(format),
        ]),
      ]),
    ),
  values: (values: readonly (string | Buffer | null)[]) =>
    tagged(
      'D',
      Buffer.concat([
        int16(values.length),
        ...values.flatMap((value) => {
          if (value === null) return [int32(-1)]
          const bytes = Buffer.from(value)
          return [int32(bytes.length), bytes]
        }),
      ]),
    ),
  parameterDescription: () => tagged('t', int16(0)),
  fields: (type: 'E' | 'N', fields: Readonly<Record<string, string>>) =>
    tagged(
      type,
      Buffer.from(
        `${Object.entries(fields)
          .map(([code, value]) => `${code}${value}\0`)
          .join('')}\0`,
      ),
    ),
  copyOutOf: (columns: number) =>
    tagged(
      'H',
      Buffer.concat([Buffer.from([0]), int16(columns), ...Array.from({ length: columns }, () => int16(0))]),
    ),
  row: (value: string) =>
    tagged('D', Buffer.concat([int16(1), int32(Buffer.byteLength(value)), Buffer.from(value)])),
  error: (sqlstate: string, text: string) =>
    tagged('E', Buffer.from(`SERROR\0VERROR\0C${sqlstate}\0M${text}\0\0`)),
  notice: (text: string) => tagged('N', Buffer.from(`SNOTICE\0VNOTICE\0C00000\0M${text}\0\0`)),
  parameter: (name: string, value: string) => tagged('S', cstring(`${name}\0${value}`)),
  notification: (channel: string, payload: string) =>
    tagged('A', Buffer.concat([int32(7), cstring(channel), cstring(payload)])),
  copyIn: tagged('G', bytes('00 0001 0000')),
  copyOut: tagged('H', bytes('00 0001 0000')),
  copyData: (text: string) => tagged('d', Buffer.from(text)),
  copyDone: tagged('c'),
}

/** A start-up packet of any version, with its length. */
export function startup(parameters: Readonly<Record<string, string>>, version = 196608): Buffer {
  const pairs = Object.entries(parameters).map(([name, value]) => cstring(`${name}\0${value}`))
  const body = Buffer.concat([int32(version), ...pairs, Buffer.from([0])])
  return Buffer.concat([int32(body.length + 4), body])
}

export interface Frame {
  readonly type: string
  readonly body: Buffer
}

/** Takes a stream of regular messages apart; what is not whole is left out. */
export function frames(stream: Buffer): Frame[] {
  const found: Frame[] = []
  let at = 0
  while (at + 5 <= stream.length) {
    const next = at + 1 + stream.readInt32BE(at + 1)
    if (next > stream.length || next < at + 5) break
    found.push({ type: String.fromCharCode(stream[at] ?? 0), body: stream.subarray(at + 5, next) })
    at = next
  }
  return found
}
