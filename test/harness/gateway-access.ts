import { type Client as ApiClient, createClient } from '@sallyport/api'
import { Client, type ClientConfig } from 'pg'
import type { TestWorld, TokenWish } from './test-world.ts'

/** Where a gateway listens, wherever it runs. */
export interface Listening {
  readonly http: { readonly host: string; readonly port: number }
  readonly postgres: { readonly host: string; readonly port: number }
}

export interface AccessWish extends TokenWish {
  readonly target?: string
  readonly purpose?: string
  /** Of the ticket. */
  readonly ttl?: string
}

/** What clients of a gateway do, without enforcing anything themselves. */
export class GatewayAccess {
  readonly #world: TestWorld
  readonly #listening: Listening
  readonly #clients: Client[] = []

  constructor(world: TestWorld, listening: Listening) {
    this.#world = world
    this.#listening = listening
  }

  get url(): string {
    const { host, port } = this.#listening.http
    return `http://${host}:${port}`
  }

  get address(): Listening['postgres'] {
    return this.#listening.postgres
  }

  /** The control API, as this principal. */
  async api(principal: string, wish: TokenWish = {}): Promise<ApiClient> {
    const token = await this.#world.token(principal, wish)
    return createClient({ url: this.url, token: () => token })
  }

  async ticket(
    principal: string,
    wish: AccessWish = {},
  ): Promise<{ readonly id: string; readonly secret: string }> {
    const { target = 'shop', purpose, ttl } = wish
    const api = await this.api(principal, wish)
    const { id, ticket } = await api.tickets.issue({
      target,
      ...(purpose === undefined ? {} : { purpose }),
      ...(ttl === undefined ? {} : { ttl }),
    })
    return { id, secret: ticket }
  }

  /** For libpq and all that follow it; PGPASSWORD is a ticket. */
  async libpq(principal: string, wish: AccessWish = {}): Promise<Record<string, string>> {
    const { host, port } = this.address
    return {
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: principal,
      PGDATABASE: wish.target ?? 'shop',
      PGPASSWORD: (await this.ticket(principal, wish)).secret,
      PGSSLMODE: 'prefer',
    }
  }

  /** Options of node-pg; the password is a ticket unless there is one. */
  async connection(principal: string, wish: AccessWish & { password?: string } = {}): Promise<ClientConfig> {
    return {
      ...this.address,
      user: principal,
      database: wish.target ?? 'shop',
      password: wish.password ?? (await this.ticket(principal, wish)).secret,
    }
  }

  /** A session. Ended by `endClients`, if the test did not. */
  async connect(principal: string, wish: AccessWish & { password?: string } = {}): Promise<Client> {
    const client = new Client(await this.connection(principal, wish))
    // Sessions that the gateway ends are what many tests are about.
    client.on('error', () => undefined)
    await client.connect()
    this.#clients.push(client)
    return client
  }

  async endClients(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.end().catch(() => undefined)))
  }
}
