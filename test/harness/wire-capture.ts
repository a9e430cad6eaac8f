import { RawClient } from '../../packages/gateway/src/protocols/postgres/gateway.fixture.ts'
import { decodeErrorFields } from '../../packages/gateway/src/protocols/postgres/messages.ts'
import { client, type Frame } from '../../packages/gateway/src/protocols/postgres/wire.fixture.ts'

/** How a statement is sent, and what its results are asked for in. */
export type Way = 'simple' | 'text' | 'binary' | 'portal'

/** A client that keeps all that it is sent, and reads none of it as a driver would. */
export class WireCapture implements Disposable {
  readonly #client: RawClient
  readonly frames: Frame[] = []

  private constructor(raw: RawClient) {
    this.#client = raw
  }

  static async connect(port: number, user: string, database: string, password: string): Promise<WireCapture> {
    const raw = await RawClient.dial(port)
    await raw.logIn({ user, database }, password)
    return new WireCapture(raw)
  }

  get isClosed(): boolean {
    return this.#client.isClosed
  }

  /** Sends one statement, and waits until it is answered. @returns what came for it */
  async run(
    sql: string,
    way: Way = 'simple',
    parameters: readonly (string | null)[] = [],
  ): Promise<readonly Frame[]> {
    const formats = way === 'binary' ? [1] : []
    if (way === 'simple') this.#client.send(client.query(sql))
    else {
      const execute =
        way === 'portal'
          ? [client.execute('p', 1), client.execute('p', 2), client.execute('p')]
          : [client.execute('p')]
      this.#client.send(
        client.parse('', sql),
        client.bind('p', '', parameters, formats),
        ...(way === 'portal' ? [] : [client.describe('P', 'p')]),
        ...execute,
        client.sync,
      )
    }
    return this.#untilReady()
  }

  async #untilReady(): Promise<readonly Frame[]> {
    const got = await this.#client.until('Z')
    this.frames.push(...got)
    return got
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]()
  }
}

/** Whether it was refused: by the gateway, or by the target because the temporary role may not do it. */
export function isDenied(frames: readonly Frame[]): boolean {
  return frames.some(({ type, body }) => {
    if (type !== 'E') return false
    const fields = decodeErrorFields(body, 0, body.length)
    return fields.get('C') === '42501' || fields.get('W')?.startsWith('Sallyport MASKING_') === true
  })
}

/**
 * All that anybody could read in what was sent: rows as JSON lists of their values, as text and as hex, and every other
 * message as text.
 */
export function legible(frames: readonly Frame[]): string {
  return frames
    .filter(({ type }) => type !== 'Z')
    .map(({ type, body }) => {
      if (type !== 'D') return body.toString('utf8')
      const values = valuesOf(body)
      const text = JSON.stringify(values.map((value) => value?.toString('utf8') ?? null))
      return `${text}\n${values.map((value) => value?.toString('hex') ?? '').join(' ')}`
    })
    .join('\n')
}

/** The values of a DataRow. */
export function valuesOf(body: Buffer): readonly (Buffer | null)[] {
  const values: (Buffer | null)[] = []
  for (let at = 2; at + 4 <= body.length; ) {
    const length = body.readInt32BE(at)
    at += 4
    values.push(length < 0 ? null : body.subarray(at, at + length))
    at += Math.max(length, 0)
  }
  return values
}
