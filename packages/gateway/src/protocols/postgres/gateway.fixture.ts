import { once } from 'node:events'
import { type AddressInfo, connect as dial, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import pg from 'pg'
import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'
import { Permit } from '../../access/permit.ts'
import { TestGuard } from './guard.fixture.ts'
import { PostgresAdapter, type PostgresAdapterOptions } from './index.ts'
import { LEASE, noIssuer } from './lease.fixture.ts'
import { encodePassword } from './messages.ts'
import { frames, type Frame, startup } from './wire.fixture.ts'

export interface TestSession {
  readonly guard: TestGuard
  readonly outcome: Promise<'client' | 'target' | Error>
}

/** A gateway in front of one target whose guards are the test's own. Everybody is let in. */
export class TestGateway implements AsyncDisposable {
  readonly adapter: PostgresAdapter
  readonly sessions: TestSession[] = []
  /** Why connections did not become sessions. */
  readonly refused: Error[] = []
  /** What is done to each guard before its session begins. */
  prepare: (guard: TestGuard) => void = () => undefined
  readonly #target: Target
  readonly #server = createServer({ noDelay: true }, (socket) => this.take(socket))
  readonly #streams = new Set<Duplex>()
  readonly #clients: pg.Client[] = []

  private constructor(target: Target, tls: SecureContext, reader: PostgresAdapterOptions['reader']) {
    this.#target = target
    this.adapter = new PostgresAdapter({ tls, reader, issuerFor: noIssuer })
  }

  static async start(
    target: Target,
    tls: SecureContext,
    reader: PostgresAdapterOptions['reader'],
  ): Promise<TestGateway> {
    const gateway = new TestGateway(target, tls, reader)
    gateway.#server.listen(0, '127.0.0.1')
    await once(gateway.#server, 'listening')
    return gateway
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The session that began last. */
  get session(): TestSession {
    const session = this.sessions.at(-1)
    if (session === undefined) throw new Error('there is no session')
    return session
  }

  take(stream: Duplex): void {
    this.#streams.add(stream)
    stream.on('error', () => stream.destroy())
    this.#serve(stream).catch((error: unknown) => this.refused.push(error as Error))
  }

  async #serve(stream: Duplex): Promise<void> {
    const signal = new AbortController().signal
    const greeting = await this.adapter.greet(stream, signal)
    if (greeting === undefined) return
    await using upstream = await this.adapter.connect(this.#target, LEASE, signal)
    const guard = new TestGuard(`ses_${this.sessions.length}`)
    this.prepare(guard)
    const principal = {
      kind: 'agent',
      id: 'a',
      issuer: 'i',
      subject: 'a',
      groups: [],
      attributes: {},
    } as const
    const permit = Permit.from(
      { effect: 'permit', policies: [], obligations: [] },
      principal,
      this.#target,
      this.adapter.discharges,
    )
    try {
      const downstream = await greeting.admit(permit, upstream, guard.sessionId)
      const outcome = this.adapter.relay(downstream, upstream, guard).then(
        (who): 'client' | 'target' | Error => who,
        (error: Error) => error,
      )
      this.sessions.push({ guard, outcome })
      await outcome
    } catch (error) {
      await greeting.refuse(SallyportError.from(error))
      throw error
    }
  }

  async client(config: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: this.port,
      user: 'any',
      password: 'ticket',
      database: 'shop',
      ...config,
    })
    client.on('error', () => undefined)
    await client.connect()
    this.#clients.push(client)
    return client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)))
    for (const { guard } of this.sessions) guard.end(new SallyportError('SESSION_ENDED', 'the test is over'))
    for (const stream of this.#streams) stream.destroy()
    await Promise.all(this.sessions.map(({ outcome }) => outcome))
  }
}

/** A client that sends and receives bytes. */
export class RawClient implements Disposable {
  readonly stream: Duplex
  /** Not taken apart yet. */
  #received = Buffer.alloc(0)
  #frames: Frame[] = []
  #changed = Promise.withResolvers<void>()
  isClosed = false

  constructor(stream: Duplex) {
    this.stream = stream
    const wake = (): void => {
      this.#changed.resolve()
      this.#changed = Promise.withResolvers<void>()
    }
    stream.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      wake()
    })
    stream.on('error', () => undefined)
    stream.on('close', () => {
      this.isClosed = true
      wake()
    })
    stream.on('end', () => {
      this.isClosed = true
      wake()
    })
  }

  static async dial(port: number): Promise<RawClient> {
    const socket: Socket = dial(port, '127.0.0.1')
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /** Logs in. @returns the process id and secret of BackendKeyData */
  async logIn(parameters: Readonly<Record<string, string>> = {}, password = 'ticket'): Promise<Buffer> {
    this.send(startup({ user: 'any', database: 'shop', ...parameters }))
    await this.until('R')
    this.send(encodePassword(`${password}\0`))
    const messages = await this.until('Z')
    const key = messages.find(({ type }) => type === 'K')
    if (key === undefined) throw new Error('there is no BackendKeyData')
    return key.body
  }

  send(...parts: readonly Buffer[]): void {
    this.stream.write(Buffer.concat(parts))
  }

  /** All messages up to the next of that type; up to the connection's end, if that comes first. */
  async until(type: string): Promise<readonly Frame[]> {
    for (let looked = 0; ; ) {
      const found = frames(this.#received)
      this.#received = this.#received.subarray(found.reduce((sum, { body }) => sum + 5 + body.length, 0))
      for (const frame of found) this.#frames.push(frame)
      while (looked < this.#frames.length && this.#frames[looked]?.type !== type) looked++
      if (looked < this.#frames.length || this.isClosed) return this.#frames.splice(0, looked + 1)
      await this.#changed.promise
    }
  }

  /** The next bytes, whatever they are. */
  async bytes(size: number): Promise<Buffer> {
    while (this.#received.length < size && !this.isClosed) await this.#changed.promise
    const taken = this.#received.subarray(0, size)
    this.#received = this.#received.subarray(taken.length)
    return taken
  }

  [Symbol.dispose](): void {
    this.stream.destroy()
  }
}
