import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Secret } from '../../packages/gateway/src/access/secret.ts'
import { ScramClient } from '../../packages/gateway/src/protocols/postgres/scram-client.ts'
import type { Endpoint } from '../rig/endpoint.ts'

/** The end of ReadyForQuery up to its status: message 'Z', five bytes long. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5])
const TAIL = READY.length + 1

/**
 * The least a PostgreSQL client can be: it logs in, sends simple queries, and counts what comes back without looking at
 * it, so that it is not itself what limits a bulk result.
 */
export class WireClient {
  readonly #socket: Socket
  readonly #endpoint: Endpoint
  readonly #scram: ScramClient
  #unread: Buffer = Buffer.alloc(0)
  #ready = false
  #bytes = 0
  #tail: Buffer = Buffer.alloc(0)
  #resolve: (bytes: number) => void = () => undefined
  #reject: (error: Error) => void = () => undefined

  private constructor(endpoint: Endpoint, bufferBytes: number) {
    this.#endpoint = endpoint
    this.#scram = new ScramClient(new Secret(endpoint.password))
    const buffer = Buffer.allocUnsafeSlow(bufferBytes)
    this.#socket = connect({
      host: endpoint.host,
      port: endpoint.port,
      noDelay: true,
      onread: {
        buffer,
        callback: (size) => {
          this.#read(buffer.subarray(0, size))
          return true
        },
      },
    })
    this.#socket.once('connect', () => this.#socket.write(startup(endpoint)))
    this.#socket.on('error', (error) => this.#reject(error))
    this.#socket.once('close', () => this.#reject(new Error(`${endpoint.name} hung up`)))
  }

  /** Connected, authenticated and ready for a query. `bufferBytes`: read at once; large for bulk. */
  static async open(endpoint: Endpoint, bufferBytes = 4096): Promise<WireClient> {
    const client = new WireClient(endpoint, bufferBytes)
    await client.#answer()
    return client
  }

  /** @returns how many bytes the answer has. @throws Error with the server's, when it begins with one */
  async query(sql: string): Promise<number> {
    this.#bytes = 0
    this.#tail = Buffer.alloc(0)
    this.#socket.write(message('Q', `${sql}\0`))
    return await this.#answer()
  }

  /** Says goodbye and waits until the other side has hung up. */
  async close(): Promise<void> {
    this.#reject = () => undefined
    const closed = once(this.#socket, 'close')
    this.#socket.end(message('X', ''))
    this.#socket.resume()
    await closed
  }

  #answer(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  #read(chunk: Buffer): void {
    if (!this.#ready) {
      this.#unread = Buffer.concat([this.#unread, chunk])
      this.#handshake()
      return
    }
    if (this.#bytes === 0 && chunk[0] === 0x45) {
      this.#reject(new Error(`${this.#endpoint.name}: ${errorText(chunk)}`))
      return
    }
    this.#bytes += chunk.length
    const last = chunk.subarray(-TAIL)
    this.#tail = last.length === TAIL ? last : Buffer.concat([this.#tail, last]).subarray(-TAIL)
    if (this.#tail.length === TAIL && this.#tail.subarray(0, READY.length).equals(READY)) {
      this.#resolve(this.#bytes)
      return
    }
    // The memory that it lies in is read into again.
    if (this.#tail === last) this.#tail = Buffer.from(last)
  }

  #handshake(): void {
    for (;;) {
      const length = this.#unread.length < 5 ? Number.POSITIVE_INFINITY : this.#unread.readInt32BE(1) + 1
      if (this.#unread.length < length) return
      const type = String.fromCharCode(this.#unread[0] ?? 0)
      const body = this.#unread.subarray(5, length)
      this.#unread = this.#unread.subarray(length)
      if (type === 'E') this.#reject(new Error(`${this.#endpoint.name}: ${errorText(body)}`))
      else if (type === 'R') this.#authenticate(body.readInt32BE(0), body.subarray(4))
      else if (type === 'Z') {
        this.#ready = true
        this.#resolve(0)
        return
      }
    }
  }

  /** "Message Formats": Authentication… */
  #authenticate(kind: number, data: Buffer): void {
    if (kind === 3) this.#socket.write(message('p', `${this.#endpoint.password}\0`))
    else if (kind === 10) {
      const first = Buffer.from(this.#scram.first())
      const length = Buffer.alloc(4)
      length.writeInt32BE(first.length)
      this.#socket.write(message('p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), length, first])))
    } else if (kind === 11) this.#socket.write(message('p', this.#scram.final(data.toString())))
    else if (kind === 12) this.#scram.verify(data.toString())
    else if (kind !== 0) this.#reject(new Error(`${this.#endpoint.name} asks for authentication ${kind}`))
  }
}

function startup({ user, database }: Endpoint): Buffer {
  const parameters = Buffer.from(`user\0${user}\0database\0${database}\0client_encoding\0UTF8\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(parameters.length + 8)
  head.writeInt32BE(196_608, 4)
  return Buffer.concat([head, parameters])
}

function message(type: string, body: string | Buffer): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(bytes.length + 4, 1)
  return Buffer.concat([head, bytes])
}

function errorText(bytes: Buffer): string {
  return bytes.toString('utf8', 0, 500).replaceAll('\0', ' ')
}
