import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect as dial, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { AccessDenied, SallyportError } from '../access/errors.ts'
import type { Catalog } from '../access/catalog.ts'
import type { StatementReading, Target } from '../access/model.ts'
import { Permit } from '../access/permit.ts'
import type {
  ApprovalSubject,
  Credential,
  Greeting,
  Guard,
  PendingApproval,
  ProtocolAdapter,
  RecordingWaiter,
  SessionRecorder,
  Verdict,
} from './contract.ts'

/** What an adapter's own test supplies: a real target, and a real client of the protocol. */
export interface ConformanceWorld extends AsyncDisposable {
  readonly adapter: ProtocolAdapter
  readonly target: Target
  readonly credential: Credential
  /** Decides as policy would: of the client's two operations, one is permitted and one is not. */
  permits(reading: StatementReading): boolean
  /** Connects to 127.0.0.1:`port` and is admitted. Rejects with the reason that a person would be shown. */
  client(port: number): Promise<ConformanceClient>
  /** How often the permitted operation reached the target, asked of the target itself. */
  reached(): Promise<number>
  /** How many connections of the credential the target has. */
  connections(): Promise<number>
  /** What clients may send at first: begun and broken off, too long, of other protocols. */
  readonly garbage: readonly Buffer[]
}

/** A client that was admitted. */
export interface ConformanceClient {
  /** Runs the permitted operation. Rejects with the reason that a person would be shown. */
  allowed(): Promise<void>
  /** Runs the operation that is not permitted, and gives back all of the error that the client was shown. */
  denied(): Promise<string>
  /** Resolves when the connection has ended, with what the client was told, if anything. */
  readonly closed: Promise<string>
  /** Is gone without a word. */
  vanish(): void
}

/** Waits for something outside, which says nothing when it happens. */
const WAIT = { timeout: 20_000, interval: 20 }

/** The behaviours that a protocol adapter must have, whatever its protocol. */
export function describeAdapter(name: string, start: () => Promise<ConformanceWorld>): void {
  describe(`${name} as an adapter`, () => {
    let world: ConformanceWorld
    beforeAll(async () => {
      world = await start()
    })
    afterAll(async () => {
      await world[Symbol.asyncDispose]()
    })

    it('lets an operation that is permitted through, and records it first', async () => {
      await using gate = await Gate.open(world)
      const before = await world.reached()
      const client = await world.client(gate.port)
      await client.allowed()
      expect(await world.reached()).toBe(before + 1)
      expect(gate.guard.recorder.statements).toEqual(['permit'])
      client.vanish()
    })

    it('forwards nothing before it is recorded', async () => {
      await using gate = await Gate.open(world)
      const before = await world.reached()
      const client = await world.client(gate.port)
      gate.guard.recorder.held = true
      const running = client.allowed()
      await expect.poll(() => gate.guard.recorder.waiting, WAIT).toBeGreaterThan(0)
      expect(await world.reached()).toBe(before)
      gate.guard.recorder.letGo()
      await running
      expect(await world.reached()).toBe(before + 1)
      client.vanish()
    })

    it('forwards nothing that could not be recorded, and ends the session', async () => {
      await using gate = await Gate.open(world)
      const before = await world.reached()
      const client = await world.client(gate.port)
      gate.guard.recorder.failure = new SallyportError('RECORDING_FAILED', 'the disk is full')
      await expect(client.allowed()).rejects.toThrow('the disk is full')
      await client.closed
      expect(await gate.outcome).toMatchObject({ code: 'RECORDING_FAILED' })
      expect(await world.reached()).toBe(before)
      await expect.poll(() => world.connections(), WAIT).toBe(0)
    })

    it('denies in its own words, and goes on', async () => {
      await using gate = await Gate.open(world)
      const client = await world.client(gate.port)
      const shown = await client.denied()
      for (const part of [gate.guard.policy, gate.guard.hint, `${gate.guard.sessionId}.1`]) {
        expect(shown).toContain(part)
      }
      const before = await world.reached()
      await client.allowed()
      expect(await world.reached()).toBe(before + 1)
      expect(gate.guard.recorder.statements).toEqual(['deny', 'permit'])
      client.vanish()
    })

    it('ends both sides when the guard says so, and tells the client why', async () => {
      await using gate = await Gate.open(world)
      const client = await world.client(gate.port)
      await client.allowed()
      gate.guard.abort(new SallyportError('SESSION_ENDED', 'an operator ended this session'))
      expect(await client.closed).toContain('an operator ended this session')
      expect(await gate.outcome).toMatchObject({ code: 'SESSION_ENDED' })
      await expect.poll(() => world.connections(), WAIT).toBe(0)
    })

    it('is over at once when the guard had ended it before it began', async () => {
      await using gate = await Gate.open(world)
      gate.guard.abort(new SallyportError('SESSION_ENDED', 'the deadline has passed'))
      const client = await world.client(gate.port)
      expect(await client.closed).toContain('the deadline has passed')
      expect(await gate.outcome).toMatchObject({ code: 'SESSION_ENDED' })
    })

    it('hangs up on the target when the client vanishes', async () => {
      await using gate = await Gate.open(world)
      const client = await world.client(gate.port)
      await client.allowed()
      expect(await world.connections()).toBe(1)
      client.vanish()
      expect(await gate.outcome).toBe('client')
      await expect.poll(() => world.connections(), WAIT).toBe(0)
    })

    it('refuses before admission so that a client can show the reason', async () => {
      const reason = new AccessDenied('ACCESS_POLICY_DENIED', 'not on a Sunday', { policies: ['weekend'] })
      await using gate = await Gate.open(world, reason)
      await expect(world.client(gate.port)).rejects.toThrow('not on a Sunday')
    })

    it('serves one client while another says nothing', async () => {
      await using gate = await Gate.open(world)
      const silent = dial(gate.port, '127.0.0.1')
      silent.on('error', () => undefined)
      await once(silent, 'connect')
      const client = await world.client(gate.port)
      await client.allowed()
      client.vanish()
      silent.destroy()
    })

    it('gives up on a client that says nothing when its time is over', async () => {
      await using gate = await Gate.open(world)
      const silent = dial(gate.port, '127.0.0.1')
      silent.on('error', () => undefined).resume()
      await once(silent, 'connect')
      await expect.poll(() => gate.greeting, WAIT).toBe(1)
      gate.endAdmission(new SallyportError('WIRE_TIMEOUT', 'too slow'))
      expect(await gate.outcome).toMatchObject({ code: 'WIRE_TIMEOUT' })
      silent.destroy()
    })

    it('takes nonsense for what it is, and serves the next client', async () => {
      await using gate = await Gate.open(world)
      const nonsense = [...world.garbage, ...Array.from({ length: 20 }, (_, n) => randomBytes(n * 37))]
      await Promise.all(
        nonsense.flatMap((bytes) => [send(gate.port, bytes, 'end'), send(gate.port, bytes, 'reset')]),
      )
      await expect.poll(() => gate.greeting, WAIT).toBe(0)
      for (const outcome of gate.outcomes) {
        if (outcome !== undefined) expect(outcome).toBeInstanceOf(SallyportError)
      }
      const client = await world.client(gate.port)
      await client.allowed()
      client.vanish()
    })

    it('admits with a permit only', () => {
      expectTypeOf<Parameters<Greeting['admit']>[0]>().toEqualTypeOf<Permit>()
      expectTypeOf<Omit<Permit, never>>().not.toExtend<Permit>()
      expect(world.adapter.protocol).toBe(world.target.protocol)
    })
  })
}

/** Sends bytes and closes; resolves when the other side has closed too. */
async function send(port: number, bytes: Buffer, how: 'end' | 'reset'): Promise<void> {
  const socket = dial(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.resume()
  await once(socket, 'connect')
  await new Promise<void>((resolve) =>
    socket.write(bytes.length === 0 ? Buffer.from([0]) : bytes, () => resolve()),
  )
  const closed = once(socket, 'close')
  if (how === 'end') socket.end()
  else socket.resetAndDestroy()
  await closed
}

type Ended = 'client' | 'target' | Error | undefined

/** A listener that takes each connection along the path: greet, connect, admit, relay. */
class Gate implements AsyncDisposable {
  readonly guard: ConformanceGuard
  readonly outcomes: Ended[] = []
  /** Of the first connection to end. */
  readonly outcome: Promise<Ended>
  readonly #first = Promise.withResolvers<Ended>()
  readonly #admission = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer({ noDelay: true }, (socket) => this.#accepted(socket))
  readonly #world: ConformanceWorld
  readonly #refusal: SallyportError | undefined
  greeting = 0

  private constructor(world: ConformanceWorld, refusal: SallyportError | undefined) {
    this.#world = world
    this.#refusal = refusal
    this.guard = new ConformanceGuard(world)
    this.outcome = this.#first.promise
  }

  static async open(world: ConformanceWorld, refusal?: SallyportError): Promise<Gate> {
    const gate = new Gate(world, refusal)
    gate.#server.listen(0, '127.0.0.1')
    await once(gate.#server, 'listening')
    return gate
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  endAdmission(reason: SallyportError): void {
    this.#admission.abort(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.endAdmission(new SallyportError('SESSION_ENDED', 'the test is over'))
    this.guard.abort(new SallyportError('SESSION_ENDED', 'the test is over'))
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#running)
  }

  #accepted(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    const running = this.#serve(socket).then(
      (who) => this.#ended(who),
      (error: Error) => this.#ended(error),
    )
    this.#running.add(running)
  }

  #ended(how: Ended): void {
    this.outcomes.push(how)
    this.#first.resolve(how)
  }

  async #serve(socket: Socket): Promise<Ended> {
    const { adapter, target, credential } = this.#world
    const { signal } = this.#admission
    this.greeting++
    const greeting = await adapter.greet(socket, signal).finally(() => this.greeting--)
    if (greeting === undefined) return undefined
    if (this.#refusal !== undefined) {
      await greeting.refuse(this.#refusal)
      return undefined
    }
    await using upstream = await adapter.connect(target, credential, signal)
    const principal = {
      kind: 'agent' as const,
      id: 'a',
      issuer: 'i',
      subject: 'a',
      groups: [],
      attributes: {},
    }
    const decision = { effect: 'permit' as const, policies: [], obligations: [] }
    const permit = Permit.from(decision, principal, target, adapter.discharges)
    const downstream = await greeting.admit(permit, upstream, this.guard.sessionId)
    return await adapter.relay(downstream, upstream, this.guard)
  }
}

const CATALOG: Catalog = {
  version: '1',
  serverVersion: 180_000,
  schemas: [],
  searchPath: [],
  relations: [],
  functions: [],
  operators: [],
}

/** Decides as the world says, and keeps the recording in memory. */
class ConformanceGuard implements Guard {
  readonly sessionId = 'ses_conformance'
  readonly target: string
  readonly epoch = 1
  readonly catalog = CATALOG
  readonly hidden = undefined
  readonly recorder = new ConformanceRecorder()
  readonly verdicts = new Map<string, Verdict>()
  readonly policy = 'no-such-thing'
  readonly hint = 'try something else'
  readonly #world: ConformanceWorld
  readonly #abort = new AbortController()

  constructor(world: ConformanceWorld) {
    this.#world = world
    this.target = world.target.name
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  abort(reason: SallyportError): void {
    this.#abort.abort(reason)
  }

  authorize(reading: StatementReading): Verdict {
    const permitted = reading.facts.reading === 'complete' && this.#world.permits(reading)
    const common = { permitted, epoch: this.epoch, reusable: true, json: '{}' }
    if (permitted) return { ...common, policies: [] }
    return { ...common, policies: [this.policy], reason: 'it is forbidden', hint: this.hint }
  }

  lookAgain(): Promise<void> {
    return Promise.resolve()
  }

  requestApproval(_subject: ApprovalSubject, _verdict: Verdict): Promise<PendingApproval> {
    return Promise.reject(new SallyportError('LIMIT_REACHED', 'nobody can be asked'))
  }
}

class ConformanceRecorder implements SessionRecorder {
  /** The effect of each statement's decision. */
  readonly statements: ('permit' | 'deny')[] = []
  /** While true, nobody is told that anything is written. */
  held = false
  failure: SallyportError | undefined
  readonly #waiters: RecordingWaiter[] = []
  #next = 1

  statement(_text: string, verdict: Verdict): number {
    this.statements.push(verdict.permitted ? 'permit' : 'deny')
    return this.#next++
  }

  execute(): number {
    return this.#next++
  }

  result(): void {
    // What came back is for the adapter's own tests.
  }

  get waiting(): number {
    return this.#waiters.length
  }

  written(waiter: RecordingWaiter): void {
    this.#waiters.push(waiter)
    if (!this.held) setImmediate(() => this.letGo())
  }

  letGo(): void {
    this.held = false
    for (const waiter of this.#waiters.splice(0)) {
      if (this.failure === undefined) waiter.recorded()
      else waiter.unrecorded(this.failure)
    }
  }
}
