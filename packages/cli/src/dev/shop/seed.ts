import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Client } from 'pg'
import { shopRows, type TableRows } from './rows.ts'

const DATABASE = 'shop'
const ISSUER = 'sallyport_issuer'
const sql = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), 'utf8')

/**
 * Makes the shop's database on a PostgreSQL, unless it is there already, and the account that temporary roles are made
 * with (`issuer.sql`). That account gets a new password each time, so that none has to be kept.
 * @param superuser `postgres://…/postgres` of a superuser
 * @returns the issuer account's password
 */
export async function seedShop(superuser: string): Promise<{ issuerPassword: string; made: boolean }> {
  const shop = new URL(superuser)
  shop.pathname = `/${DATABASE}`
  const made = await withClient(superuser, async (client) => {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE])
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`)
    return found.rowCount === 0
  })
  const issuerPassword = randomBytes(24).toString('base64url')
  await withClient(shop.href, async (client) => {
    await client.query('BEGIN')
    // A seed that was interrupted has left an empty database: only its tables say that it is whole.
    const { rows } = await client.query<{ whole: boolean }>(
      `SELECT to_regclass('public.customers') IS NOT NULL AS whole`,
    )
    if (!rows[0]?.whole) await fill(client)
    const issuer = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [ISSUER])
    if (issuer.rowCount === 0) await client.query(await sql('issuer.sql'))
    // base64url has no character that would need quoting; ALTER ROLE takes no parameters.
    await client.query(`ALTER ROLE ${ISSUER} PASSWORD '${issuerPassword}'`)
    await client.query('COMMIT')
  })
  return { issuerPassword, made }
}

async function fill(client: Client): Promise<void> {
  await client.query(await sql('schema.sql'))
  for (const rows of shopRows()) await insert(client, rows)
  await client.query(await sql('indexes.sql'))
}

/** One INSERT per table, from one array per column: as fast as COPY at this size, without its framing. */
async function insert(client: Client, { table, columns }: TableRows): Promise<void> {
  const names = columns.map((column) => column.name).join(', ')
  const arrays = columns.map((column, i) => `$${i + 1}::${column.type}[]`).join(', ')
  await client.query(
    `INSERT INTO ${table} (${names}) SELECT * FROM unnest(${arrays})`,
    columns.map((column) => arrayText(column.values)),
  )
}

/** An array as PostgreSQL reads it (§8.15.2); several times faster than node-pg's own, which may assume less. */
function arrayText(values: readonly (string | number | null)[]): string {
  return `{${values.map((value) => (typeof value === 'string' ? JSON.stringify(value) : (value ?? 'NULL'))).join(',')}}`
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
