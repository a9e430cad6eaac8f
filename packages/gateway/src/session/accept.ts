import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { SallyportError } from '../access/errors.ts'
import type { ProtocolAdapter } from '../protocols/contract.ts'
import { serve, type SessionOrigin, type SessionServices } from './serve.ts'

export interface AcceptLog {
  info(details: object, message: string): void
  error(details: object, message: string): void
}

/** How long a stopping gateway waits for its sessions to be told and cleaned up after. */
const STOP_MS = 10_000

/** Takes connections, each into a `serve` of its own: nothing that one client does or leaves undone delays another. */
export class Acceptor implements AsyncDisposable {
  readonly #adapter: ProtocolAdapter
  readonly #services: SessionServices
  readonly #log: AcceptLog
  readonly #maxConnections: number
  readonly #stop = new AbortController()
  readonly #running = new Set<Promise<void>>()
  /** Those that have not yet proved who they are, oldest first. */
  readonly #strangers = new Set<Duplex>()
  #server: Server | undefined

  constructor(options: {
    readonly adapter: ProtocolAdapter
    readonly services: SessionServices
    readonly log: AcceptLog
    readonly maxConnections: number
  }) {
    this.#adapter = options.adapter
    this.#services = options.services
    this.#log = options.log
    this.#maxConnections = options.maxConnections
  }

  /** Connections being served, also those that are not sessions yet. */
  get connections(): number {
    return this.#running.size
  }

  /** @throws SallyportError CONFIG_INVALID when the address cannot be listened on */
  async listen(address: {
    readonly host: string
    readonly port: number
  }): Promise<{ host: string; port: number }> {
    const server = createServer({ noDelay: true }, (socket) => this.#accepted(socket))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const { host, port } = address
        reject(
          new SallyportError('CONFIG_INVALID', `cannot listen on ${host}:${port}: ${cause.message}`, {
            hint: 'stop what uses it, or change `listen` in sallyport.yaml',
            cause,
          }),
        )
      })
      server.listen(address.port, address.host, resolve)
    })
    const bound = server.address() as AddressInfo
    return { host: bound.address, port: bound.port }
  }

  /**
   * Serves a stream that did not come through the listener: the other end of an in-process pair. The same path, from its
   * first step on.
   */
  take(client: Duplex, origin: SessionOrigin): void {
    // An 'error' that nobody listens to would end the process; whoever reads the stream sees it closed.
    client.on('error', () => client.destroy())
    if (this.#stop.signal.aborted || !this.#hasRoom()) {
      client.destroy()
      return
    }
    this.#strangers.add(client)
    const onSession = (id: string): void => {
      this.#strangers.delete(client)
      origin.onSession?.(id)
    }
    const served = serve(client, this.#adapter, { ...origin, onSession }, this.#services, this.#stop.signal)
    const running = served.catch((error: unknown) => this.#report(error, origin))
    this.#running.add(running)
    void running.then(() => {
      this.#strangers.delete(client)
      this.#running.delete(running)
      if (!client.destroyed && !client.writableEnded) client.destroy()
    })
  }

  /** Takes no more connections, ends the sessions that are open, and waits until they are cleaned up after. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#server?.close()
    this.#stop.abort(
      new SallyportError('SESSION_ENDED', 'the gateway is stopping', { hint: 'connect again in a moment' }),
    )
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, STOP_MS).unref())
    await Promise.race([Promise.all(this.#running), timeout])
  }

  /**
   * When all places are taken, the oldest connection that has not said who it is gives way: whoever opens connections and
   * says nothing on them must not keep those out who do, which takes them milliseconds. Where their identity cannot be
   * checked just now, their work goes on without them for a while: that is bounded, too.
   */
  #hasRoom(): boolean {
    if (this.#running.size < this.#maxConnections) return true
    const [oldest] = this.#strangers
    this.#services.metrics.refused('LIMIT_REACHED')
    if (oldest === undefined || this.#running.size >= 2 * this.#maxConnections) return false
    this.#strangers.delete(oldest)
    oldest.destroy()
    return true
  }

  #accepted(socket: Socket): void {
    this.take(socket, { via: 'postgres', sourceIp: socket.remoteAddress ?? '' })
  }

  #report(error: unknown, origin: SessionOrigin): void {
    const known = SallyportError.from(error)
    const details = { code: known.code, sourceIp: origin.sourceIp, via: origin.via }
    // Only what nobody expected is an error of the gateway's; the rest was told to the client and is in the audit log.
    if (known.code === 'INTERNAL') this.#log.error({ ...details, err: known.cause }, 'a session failed')
    else this.#log.info({ ...details, cause: causeOf(known) }, known.message)
  }
}

function causeOf(error: SallyportError): string | undefined {
  return error.cause instanceof Error ? error.cause.message : undefined
}
