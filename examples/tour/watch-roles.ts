import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** Temporary roles on the target, as its superuser sees them. */
export class RoleWatch implements AsyncDisposable {
  readonly #client: pg.Client
  readonly #seen = new Set<string>()
  #watching: Promise<void> | undefined
  #stopped = false

  private constructor(client: pg.Client) {
    this.#client = client
  }

  static async start(url: string): Promise<RoleWatch> {
    const client = new pg.Client({ connectionString: url, application_name: 'tour' })
    await client.connect()
    const watch = new RoleWatch(client)
    watch.#watching = watch.#run()
    return watch
  }

  /** Whether the role was there at some moment since the start. */
  saw(role: string): boolean {
    return this.#seen.has(role)
  }

  async isThere(role: string): Promise<boolean> {
    const { rowCount } = await this.#client.query('SELECT FROM pg_roles WHERE rolname = $1', [role])
    return rowCount === 1
  }

  /** Waits until the role is gone. False when it is still there after `ms`. */
  async gone(role: string, ms: number): Promise<boolean> {
    const end = Date.now() + ms
    while (await this.isThere(role)) {
      if (Date.now() > end) return false
      await sleep(20)
    }
    return true
  }

  async count(table: string): Promise<number> {
    const { rows } = await this.#client.query<{ n: string }>(
      `SELECT count(*) AS n FROM ${pg.escapeIdentifier(table)}`,
    )
    return Number(rows[0]?.n)
  }

  /** What nobody but the database itself shows of the first customers: names, e-mail addresses, phones, birthdays. */
  async firstCustomers(count: number): Promise<readonly string[]> {
    const { rows } = await this.#client.query<Record<string, string>>(
      'SELECT name, email, phone, birth_date::text FROM customers ORDER BY id LIMIT $1',
      [count],
    )
    return rows.flatMap((row) => Object.values(row))
  }

  /** Of a payment. */
  async amount(payment: number): Promise<number> {
    const { rows } = await this.#client.query<{ amount: string }>(
      'SELECT amount FROM payments WHERE id = $1',
      [payment],
    )
    return Number(rows[0]?.amount)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await this.#watching
    await this.#client.end()
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const { rows } = await this.#client.query<{ usename: string }>(
        "SELECT usename FROM pg_stat_activity WHERE usename LIKE 'sp\\_%\\_l\\_%'",
      )
      for (const row of rows) this.#seen.add(row.usename)
      await sleep(20)
    }
  }
}
