import type { Duplex } from 'node:stream'
import { SallyportError } from '../../access/errors.ts'
import type { BoundParameter } from '../contract.ts'
import { ByteSource } from '../wire/byte-source.ts'
import { readHandshakeMessage } from './handshake-message.ts'
import { BACKEND, decodeErrorFields, encodeQuery, FRONTEND, message, SYNC } from './messages.ts'

/** All that one answer may be: the plan of a large query is some hundred kilobytes. */
const MAX_ANSWER = 1024 * 1024

/** The gateway's own questions to a target, one after the other. */
export class Questions {
  readonly #stream: Duplex
  readonly #source: ByteSource

  /** @param signal ends the wait for answers */
  constructor(stream: Duplex, signal: AbortSignal) {
    this.#stream = stream
    this.#source = new ByteSource(stream, signal)
  }

  /** Runs a text of our own making. @throws SallyportError REQUEST_INVALID with the target's words */
  async simple(sql: string): Promise<void> {
    this.#stream.write(encodeQuery(sql))
    await this.#answer()
  }

  /**
   * The first column of the first row. In the extended protocol, which takes one statement and never a second behind it.
   * @throws SallyportError REQUEST_INVALID with the target's words, WIRE_TOO_LARGE
   */
  async value(sql: string, parameters: readonly BoundParameter[]): Promise<string | undefined> {
    this.#stream.write(Buffer.concat([parse(sql, parameters), bind(parameters), EXECUTE, SYNC]))
    return await this.#answer()
  }

  async #answer(): Promise<string | undefined> {
    let failure: SallyportError | undefined
    let value: string | undefined
    for (let left = MAX_ANSWER; ; ) {
      const answer = await readHandshakeMessage(this.#source, left)
      if (answer === undefined)
        throw new SallyportError('TARGET_UNREACHABLE', 'the target closed the connection')
      const { type, body } = answer
      left -= 5 + body.length
      if (type === BACKEND.readyForQuery) break
      if (type === BACKEND.dataRow) value ??= firstColumn(body)
      if (type === BACKEND.errorResponse) {
        const reason = decodeErrorFields(body, 0, body.length).get('M') ?? 'no reason given'
        failure = new SallyportError('REQUEST_INVALID', `the target says: ${reason}`)
      }
    }
    if (failure !== undefined) throw failure
    return value
  }
}

/** Parse of the unnamed statement: String String Int16 Int32[] */
function parse(sql: string, parameters: readonly BoundParameter[]): Buffer {
  const types = Buffer.alloc(2 + parameters.length * 4)
  types.writeUInt16BE(parameters.length)
  for (const [i, { type }] of parameters.entries()) types.writeUInt32BE(type, 2 + i * 4)
  return message(FRONTEND.parse, Buffer.concat([Buffer.from(`\0${sql}\0`), types]))
}

/** Bind of the unnamed portal: String String Int16[] values Int16[] */
function bind(parameters: readonly BoundParameter[]): Buffer {
  const formats = Buffer.alloc(2 + parameters.length * 2)
  formats.writeUInt16BE(parameters.length)
  for (const [i, { format }] of parameters.entries()) formats.writeUInt16BE(format, 2 + i * 2)
  const count = Buffer.alloc(2)
  count.writeUInt16BE(parameters.length)
  const values = parameters.map(({ value }) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(value === null ? -1 : value.length)
    return value === null ? length : Buffer.concat([length, value])
  })
  return message(
    FRONTEND.bind,
    Buffer.concat([Buffer.from('\0\0'), formats, count, ...values, Buffer.alloc(2)]),
  )
}

/** Execute of the unnamed portal, one row: String Int32 */
const EXECUTE = message(FRONTEND.execute, Buffer.from([0, 0, 0, 0, 1]))

/** DataRow: Int16(columns) { Int32(length) Byte* }. */
function firstColumn(body: Buffer): string | undefined {
  if (body.length < 6 || body.readInt16BE(0) < 1) return undefined
  const length = body.readInt32BE(2)
  return length < 0 || 6 + length > body.length ? undefined : body.toString('utf8', 6, 6 + length)
}
